import { type ChildProcess, spawn } from 'node:child_process';
import { Client } from '../../src/client/client.js';
import type { StatusResponse } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { binaryPath } from './binary.js';
import { isRealBefore, REAL_ETCD } from './real-programs.js';
import { GaveUp, until } from './until.js';

/** Since 3.5 it is the default. */
const REAL_PROGRAM: readonly string[] = isRealBefore(5) ? [REAL_ETCD, '--logger=zap'] : [REAL_ETCD];
/** Bound of one question of the tests to one member, ms. */
export const QUESTION_MILLIS = 2000;
/** Lines of each member's log that a failure shows. */
const SHOWN_LINES = 40;

export type MemberKind = 'ours' | 'real';

/** One member in a process of its own, which can be killed and started again. */
export class ClusterMember {
  readonly name: string;
  readonly kind: MemberKind;
  readonly dataDir: string;
  /** `127.0.0.1:<port>` for clients. */
  readonly endpoint: string;
  /** The URL that peers use. */
  readonly peerUrl: string;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #exit: Promise<number | NodeJS.Signals> = Promise.resolve(0);
  #client: Client | undefined;
  #id: bigint | undefined;
  /** All that it wrote, over all its lives. */
  log = '';

  constructor(
    own: Pick<ClusterMember, 'name' | 'kind' | 'dataDir' | 'endpoint' | 'peerUrl'>,
    flags: readonly string[],
  ) {
    this.name = own.name;
    this.kind = own.kind;
    this.dataDir = own.dataDir;
    this.endpoint = own.endpoint;
    this.peerUrl = own.peerUrl;
    this.#flags = flags;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Exit code or signal, once the process has ended. */
  get exit(): Promise<number | NodeJS.Signals> {
    return this.#exit;
  }

  /** A client of this member alone. */
  get client(): Client {
    this.#client ??= new Client({ endpoints: [this.endpoint] });
    return this.#client;
  }

  /** Known after the first {@link status}. */
  get id(): bigint {
    if (this.#id === undefined) throw new Error(`the id of ${this.name} is not known yet`);
    return this.#id;
  }

  /** Starts the process and does not wait for anything. */
  start(flags: readonly string[] = []): void {
    if (this.isRunning) throw new Error(`${this.name} runs`);
    const [program, ...leading] =
      this.kind === 'real' ? REAL_PROGRAM : [process.execPath, binaryPath('etcd')];
    const child = spawn(program ?? '', [...leading, ...this.#flags, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '' },
    });
    const hear = (chunk: Buffer): void => {
      this.log += chunk.toString();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    this.#exit = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? signal ?? -1));
    });
    this.#child = child;
  }

  /** Ends the process if it runs; its data stay. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | NodeJS.Signals> {
    if (this.isRunning) this.#child?.kill(signal);
    return this.#exit;
  }

  async status(): Promise<StatusResponse> {
    const { client } = this;
    const status = await client.maintenance.status({
      deadlineMillis: client.deadlineIn(QUESTION_MILLIS),
    });
    this.#id = status.header?.memberId;
    return status;
  }

  /** Waits until it serves linearizable reads. */
  untilServing(): Promise<void> {
    return this.until('serves', async () => {
      const { client } = this;
      const bounds = { deadlineMillis: client.deadlineIn(QUESTION_MILLIS) };
      await client.kv.range({ key: Buffer.from('none') }, bounds);
      await this.status();
      return true;
    });
  }

  /** Waits until the condition holds; one that cannot be decided does not hold. */
  async until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
    const title = `${this.name} (${this.kind}) ${what}`;
    const attempt = async (): Promise<boolean> => {
      if (!this.isRunning) throw new GaveUp(`${title}: it ended with ${await this.#exit}`);
      return holds();
    };
    await until(title, attempt).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.lastLines()}`);
    });
  }

  lastLines(): string {
    const lines = this.log.trimEnd().split('\n').slice(-SHOWN_LINES);
    return [`--- log of ${this.name} (${this.kind})`, ...lines].join('\n');
  }

  async close(): Promise<void> {
    this.#client?.close();
    await this.end();
  }
}
