import { spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import type { LogFields, Logger } from '../../../src/base/logger.js';
import { type StartEtcdOptions, startEtcd, type TestEtcd } from '../../../src/testing.js';
import type { LeafFiles, TestAuthority } from '../../support/certificates.js';
import { REAL_ETCDCTL } from '../../support/real-programs.js';
import { runBinary } from '../../support/run-binary.js';

/** One line of a server's log. */
export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps what a server logs. */
export function logKeeper(): { readonly logger: Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields });
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    named: () => logger,
    at: () => logger,
  };
  return { logger, lines };
}

/** A server with TLS on the loopback interface. */
export interface TlsServer extends TestEtcd {
  readonly lines: readonly Line[];
  /** Where its peer listener is. */
  readonly peerEndpoint: string;
  /** Errors of rejected connections, in order. */
  rejections(endpoint: 'client' | 'peer'): string[];
}

const SECURE = 'https://127.0.0.1:0';

/** Starts a server whose client and peer listeners speak TLS as `flags` say. */
export async function startTls(
  flags: readonly string[],
  storage: StartEtcdOptions['storage'] = 'memory',
): Promise<TlsServer> {
  const { logger, lines } = logKeeper();
  const etcd = await startEtcd({
    logger,
    storage,
    flags: [
      `--listen-client-urls=${SECURE}`,
      `--advertise-client-urls=${SECURE}`,
      ...(flags.some((flag) => /^--peer-(cert-file|auto-tls)/.test(flag))
        ? [`--listen-peer-urls=${SECURE}`]
        : []),
      ...flags,
    ],
  });
  const peer = lines.find(({ message }) => message === 'listening for peer traffic');
  return {
    ...etcd,
    lines,
    peerEndpoint: String(peer?.fields.address),
    rejections: (endpoint) =>
      lines
        .filter(({ message }) => message === `rejected connection on ${endpoint} endpoint`)
        .map(({ fields }) => String(fields.error)),
  };
}

/** Flags of the server for its own pair. */
export function pairFlags({ certFile, keyFile }: LeafFiles, peer = false): string[] {
  const prefix = peer ? '--peer-' : '--';
  return [`${prefix}cert-file=${certFile}`, `${prefix}key-file=${keyFile}`];
}

/** Puts a pair in place of another, each file in one step. */
export function replacePair(place: LeafFiles, pair: Pick<LeafFiles, 'certificate' | 'key'>): void {
  for (const [path, text] of [
    [place.keyFile, pair.key],
    [place.certFile, pair.certificate],
  ] as const) {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }
}

/** How a client comes: whom it trusts and what it shows. */
export interface Visitor {
  readonly trusts: Pick<TestAuthority, 'caFile'> | undefined;
  readonly shows?: LeafFiles | undefined;
  /** Offers this version of TLS alone. */
  readonly version?: '1.2' | '1.3';
}

/** Whether a tool got through, and what it said. */
export interface Visit {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

function has(program: string, argument: string): boolean {
  return spawnSync(program, [argument], { stdio: 'ignore' }).error === undefined;
}

export const hasEtcdctl = has(REAL_ETCDCTL, 'version');
export const hasCurl = has('curl', '--version');
export const hasOpenssl = has('openssl', 'version');

async function run(program: string, argv: readonly string[], input = ''): Promise<Visit> {
  const { exitCode, stdout, stderr } = await execa(program, argv, {
    input,
    env: { PATH: process.env.PATH ?? '', ETCDCTL_API: '3' },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
  });
  return { ok: exitCode === 0, stdout, stderr };
}

/** A command that fails, fails by its timeout: keep it short. */
const CTL_TIMEOUT = '--command-timeout=700ms';
/** For those that are to succeed, on a machine that is busy. */
const CTL_PATIENCE = '--command-timeout=10s';

function ctlArguments(endpoint: string, { trusts, shows }: Visitor, patient: boolean): string[] {
  return [
    `--endpoints=${endpoint.includes('://') ? endpoint : `https://${endpoint}`}`,
    patient ? CTL_PATIENCE : CTL_TIMEOUT,
    ...(trusts === undefined ? [] : [`--cacert=${trusts.caFile}`]),
    ...(shows === undefined ? [] : [`--cert=${shows.certFile}`, `--key=${shows.keyFile}`]),
    'put',
    'key',
    'value',
  ];
}

/** The real etcdctl puts a key. */
export function visitByEtcdctl(
  endpoint: string,
  visitor: Visitor,
  patient: boolean,
): Promise<Visit> {
  return run(REAL_ETCDCTL, ctlArguments(endpoint, visitor, patient));
}

/** Ours does. */
export async function visitByOurs(
  endpoint: string,
  visitor: Visitor,
  patient: boolean,
): Promise<Visit> {
  const { exitCode, stdout, stderr } = await runBinary(
    'etcdctl',
    ctlArguments(endpoint, visitor, patient),
  );
  return { ok: exitCode === 0, stdout: stdout.toString(), stderr };
}

export function visitByCurl(
  endpoint: string,
  { trusts, shows, version }: Visitor,
  path = '/health',
  more: readonly string[] = [],
): Promise<Visit> {
  return run('curl', [
    '--silent',
    '--show-error',
    '--max-time',
    '10',
    ...(trusts === undefined ? ['--insecure'] : ['--cacert', trusts.caFile]),
    ...(shows === undefined ? [] : ['--cert', shows.certFile, '--key', shows.keyFile]),
    ...(version === undefined ? [] : [`--tlsv${version}`, '--tls-max', version]),
    ...more,
    `https://${endpoint}${path}`,
  ]);
}

/**
 * `openssl s_client` shakes hands and asks for /version; `ok` tells whether the server's
 * certificate was accepted and the connection was there until it was answered or closed.
 */
export function visitByOpenssl(
  endpoint: string,
  { trusts, shows, version }: Visitor,
  more: readonly string[] = [],
): Promise<Visit> {
  return run(
    'openssl',
    [
      's_client',
      '-connect',
      endpoint,
      '-verify_return_error',
      '-ign_eof',
      ...(trusts === undefined ? [] : ['-CAfile', trusts.caFile]),
      ...(shows === undefined ? [] : ['-cert', shows.certFile, '-key', shows.keyFile]),
      ...(version === undefined ? [] : [`-tls1_${version.at(-1)}`]),
      ...more,
    ],
    'GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
}
