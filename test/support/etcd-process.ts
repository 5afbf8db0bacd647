import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { binaryPath } from './binary.js';

/** How a server ended. */
export interface EtcdExit {
  readonly code: number | NodeJS.Signals;
  /** All that it wrote to stderr. */
  readonly stderr: string;
}

/** One line of a server's log. */
export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly msg: string;
};

/** A server in a process of its own. */
export interface EtcdProcess {
  /** `127.0.0.1:PORT` for clients, once {@link EtcdProcess.ready} has resolved. */
  readonly endpoint: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when it serves, or when it has ended before. */
  readonly ready: Promise<'serving' | 'ended'>;
  readonly exit: Promise<EtcdExit>;
  /** Ends it by a signal, if it is still there, and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<EtcdExit>;
}

const ANY_PORT = 'http://127.0.0.1:0';

/** Starts bin/etcd.js on free ports of the loopback interface. */
export function spawnEtcd(dataDirectory: string, flags: readonly string[] = []): EtcdProcess {
  const child = spawn(
    process.execPath,
    [
      binaryPath('etcd'),
      `--data-dir=${dataDirectory}`,
      `--listen-client-urls=${ANY_PORT}`,
      `--advertise-client-urls=${ANY_PORT}`,
      `--listen-peer-urls=${ANY_PORT}`,
      ...flags,
    ],
    { env: { PATH: process.env.PATH ?? '' } },
  );
  let stderr = '';
  const exit = new Promise<EtcdExit>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? -1, stderr }));
  });
  let endpoint = '';
  const ready = new Promise<'serving' | 'ended'>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (endpoint !== '' || !stderr.includes('"ready to serve client requests"')) return;
      endpoint = /"listening for client traffic","address":"([^"]+)"/.exec(stderr)?.[1] ?? '';
      resolve('serving');
    });
    exit.then(
      () => resolve('ended'),
      () => resolve('ended'),
    );
  });
  return {
    get endpoint() {
      return endpoint;
    },
    child,
    ready,
    exit,
    kill(signal) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exit;
    },
  };
}

/** Waits until a server serves. @throws Error with its log if it ends instead */
export async function startEtcdProcess(
  dataDirectory: string,
  flags: readonly string[] = [],
): Promise<EtcdProcess> {
  const server = spawnEtcd(dataDirectory, flags);
  if ((await server.ready) === 'serving') return server;
  const { code, stderr } = await server.exit;
  throw new Error(`the server ended with ${code}: ${stderr}`);
}

/** The lines of a log in JSON. */
export function logLines(stderr: string): LogLine[] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}
