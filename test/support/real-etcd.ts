import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { freePort } from './loopback.js';
import { REAL_ENVIRONMENT, REAL_ETCD, REAL_ETCDCTL } from './real-programs.js';

const START_TIMEOUT_MILLIS = 20_000;
/** How long an etcdctl may take to write what is expected of it. */
const CTL_TIMEOUT_MILLIS = 10_000;
const POLL_MILLIS = 25;
/** Another process may take a port between our probe and etcd's bind. */
const START_ATTEMPTS = 3;

export { hasRealEtcd } from './real-programs.js';

export interface RealEtcdOptions {
  /** Another etcd that takes the same flags, as a command line. */
  readonly program?: readonly [string, ...string[]];
  /** Further flags of etcd. */
  readonly flags?: readonly string[];
  /** Keep the data of an instance that was stopped. */
  readonly dataDir?: string;
  /** Ports to use again after a restart. */
  readonly ports?: RealEtcdPorts;
}

export interface RealEtcdPorts {
  readonly client: number;
  readonly peer: number;
}

/** A running real etcd with one member. */
export interface RealEtcd {
  /** `127.0.0.1:<port>`. */
  readonly endpoint: string;
  readonly ports: RealEtcdPorts;
  readonly dataDir: string;
  /** Runs the real etcdctl; the result is what it wrote to stdout. */
  ctl(args: readonly string[], input?: string): Buffer;
  /** Runs an etcdctl that does not end by itself until it has written `length` bytes to stdout. */
  ctlUntil(args: readonly string[], length: number): Promise<Buffer>;
  /** Kills the process and keeps the data. */
  kill(): Promise<void>;
  /** Asks the process to end, waits until it has, and keeps the data. */
  terminate(): Promise<void>;
  /** Stops the process and removes its data. */
  stop(): Promise<void>;
}

/** Starts a real etcd on free loopback ports and waits until it serves. */
export async function startRealEtcd(options: RealEtcdOptions = {}): Promise<RealEtcd> {
  let lastError: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    const ports = options.ports ?? { client: await freePort(), peer: await freePort() };
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'real-etcd-'));
    try {
      return await startOn(options.program ?? [REAL_ETCD], ports, dataDir, options.flags ?? []);
    } catch (error) {
      lastError = error;
    }
  }
  throw lastError;
}

async function startOn(
  [command, ...leading]: readonly [string, ...string[]],
  ports: RealEtcdPorts,
  dataDir: string,
  flags: readonly string[],
): Promise<RealEtcd> {
  const client = `http://127.0.0.1:${ports.client}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  const child = spawn(
    command,
    [
      ...leading,
      '--name=real',
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=real=${peer}`,
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4096);
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
    }
    await exited;
  };
  try {
    await untilServing(child, `127.0.0.1:${ports.client}`, () => log);
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  const endpoint = `127.0.0.1:${ports.client}`;
  return {
    endpoint,
    ports,
    dataDir,
    ctl: (args, input = '') =>
      execFileSync(REAL_ETCDCTL, [`--endpoints=${endpoint}`, ...args], {
        input,
        stdio: ['pipe', 'pipe', 'pipe'],
        env: REAL_ENVIRONMENT,
      }),
    ctlUntil: (args, length) => runUntil([`--endpoints=${endpoint}`, ...args], length),
    kill: () => end('SIGKILL'),
    terminate: () => end('SIGTERM'),
    stop: async () => {
      await end('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function runUntil(args: readonly string[], length: number): Promise<Buffer> {
  const child = execa(REAL_ETCDCTL, args, {
    stdin: 'ignore',
    stderr: 'ignore',
    env: REAL_ENVIRONMENT,
    extendEnv: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    timeout: CTL_TIMEOUT_MILLIS,
    killSignal: 'SIGKILL',
  });
  let printed = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.length;
    if (printed >= length) child.kill('SIGKILL');
  });
  return Buffer.from((await child).stdout);
}

/** Waits until etcd answers its health check, which needs a leader. */
async function untilServing(
  child: ChildProcess,
  address: string,
  log: () => string,
): Promise<void> {
  const end = performance.now() + START_TIMEOUT_MILLIS;
  while (!(await isHealthy(address))) {
    if (child.exitCode !== null || performance.now() > end) {
      throw new Error(`etcd did not start: ${log()}`);
    }
    await sleep(POLL_MILLIS);
  }
}

function isHealthy(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const [host = '', port = ''] = address.split(':');
    const socket = connect(Number(port), host);
    let answer = '';
    socket.on('connect', () =>
      socket.write(`GET /health HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(answer.includes('"health":"true"')));
  });
}
