import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Connection } from './load/connection.js';
import { encodeRequestHeaders } from './load/request-headers.js';
import { requestMaker } from './load/requests.js';

const START_TIMEOUT_MILLIS = 120_000;
const STOP_TIMEOUT_MILLIS = 60_000;
const ATTEMPT_TIMEOUT_MILLIS = 2_000;
const POLL_MILLIS = 5;
const LOG_TAIL = 2_000;

/** Both servers run with these, so that they do the same work. */
const COMMON_FLAGS = [
  '--quota-backend-bytes=8589934592',
  '--snapshot-count=10000',
  '--logger=zap',
  '--log-level=error',
];

/** How to start a server: the program and what precedes etcd's flags. */
export interface ServerProgram {
  readonly command: string;
  readonly args: readonly string[];
}

/** Physical memory of a process in octets. */
export interface Memory {
  readonly resident: number;
  readonly peak: number;
  /** The part of `resident` that is no file mapped into memory. */
  readonly anonymous: number;
}

/** A member of a cluster to be: its program, and the directory for its data, which exists. */
export interface MemberPlan {
  readonly name: string;
  readonly program: ServerProgram;
  readonly directory: string;
}

/** A server process, on loopback ports of its own: alone, or a member of a cluster. */
export class ServerProcess {
  readonly #name: string;
  readonly #program: ServerProgram;
  readonly directory: string;
  readonly #peer: string;
  readonly port: number;
  /** As the flag of that name has it. */
  readonly #initialCluster: string;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  private constructor(plan: MemberPlan, port: number, peer: string, initialCluster: string) {
    this.#name = plan.name;
    this.#program = plan.program;
    this.directory = plan.directory;
    this.port = port;
    this.#peer = peer;
    this.#initialCluster = initialCluster;
  }

  /** Prepares a server of one member that keeps its data in `directory`, which exists. */
  static async create(program: ServerProgram, directory: string): Promise<ServerProcess> {
    const [server] = await ServerProcess.createCluster([{ name: 'bench', program, directory }]);
    if (server === undefined) throw new Error('a plan gives a server');
    return server;
  }

  /** Prepares the members of one cluster. Each starts to serve once most of them run. */
  static async createCluster(plans: readonly MemberPlan[]): Promise<ServerProcess[]> {
    const ports = await freePorts(2 * plans.length);
    const peers = plans.map((_, index) => `http://127.0.0.1:${ports[plans.length + index]}`);
    const initialCluster = plans.map(({ name }, index) => `${name}=${peers[index]}`).join(',');
    return plans.map(
      (plan, index) =>
        new ServerProcess(plan, ports[index] ?? 0, peers[index] ?? '', initialCluster),
    );
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the server does not run');
    return this.#child.pid;
  }

  /** Spawns the process; the result is the seconds until it answered a linearizable get. */
  async start(): Promise<number> {
    const client = `http://127.0.0.1:${this.port}`;
    const log = openSync(this.#logPath, 'a');
    const started = performance.now();
    const child = spawn(
      this.#program.command,
      [
        ...this.#program.args,
        ...COMMON_FLAGS,
        `--name=${this.#name}`,
        `--data-dir=${join(this.directory, 'data')}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${this.#peer}`,
        `--initial-advertise-peer-urls=${this.#peer}`,
        `--initial-cluster=${this.#initialCluster}`,
      ],
      { stdio: ['ignore', log, log] },
    );
    closeSync(log);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    while (!(await answersGet(this.port))) {
      if (!isRunning(child) || performance.now() - started > START_TIMEOUT_MILLIS) {
        this.killNow();
        throw new Error(`${this.#program.command} did not start:\n${this.#logTail()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
    }
    return (performance.now() - started) / 1000;
  }

  /** Ends the process as an operator does, and waits for it. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_TIMEOUT_MILLIS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** Kills the process without waiting for its end. */
  killNow(): void {
    this.#child?.kill('SIGKILL');
  }

  memory(): Memory {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    const octets = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
    return { resident: octets('VmRSS'), peak: octets('VmHWM'), anonymous: octets('RssAnon') };
  }

  get #logPath(): string {
    return join(this.directory, 'log');
  }

  #logTail(): string {
    return readFileSync(this.#logPath, 'utf8').slice(-LOG_TAIL);
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Whether the server answers a linearizable get, which needs a leader and an applied log. */
function answersGet(port: number): Promise<boolean> {
  const { method, make } = linearizableGet();
  return new Promise((resolve) => {
    let connection: Connection | undefined;
    const settle = (isAnswered: boolean): void => {
      clearTimeout(timer);
      connection?.close();
      resolve(isAnswered);
    };
    const timer = setTimeout(() => settle(false), ATTEMPT_TIMEOUT_MILLIS);
    const listener = {
      data: () => undefined,
      end: (_streamId: number, failure: string | undefined) => settle(failure === undefined),
      broken: () => settle(false),
    };
    Connection.open(port, listener).then(
      (open) => {
        connection = open;
        open.call(encodeRequestHeaders(method, `127.0.0.1:${port}`), make(), true);
        open.flush();
      },
      // Nobody listens yet; the caller tries again until its own limit.
      () => settle(false),
    );
  });
}

function linearizableGet(): { method: string; make: () => Buffer } {
  const maker = requestMaker({ type: 'get', keyCount: 1, serializable: false });
  return { method: maker.method, make: () => maker.make(0) };
}

/** Ports of the loopback interface that nobody listens on; all are held until all are known. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            if (address === null || typeof address === 'string') reject(new Error('no port'));
            else resolve(address.port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
