import { type Logger, silentLogger } from '../../src/base/logger.js';
import type { CrashMode } from '../../src/platform/memory-fs.js';
import type { Random } from '../../src/platform/random.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { noTokens } from '../../src/server/auth/no-tokens.js';
import { memberDirectories } from '../../src/server/bootstrap/directories.js';
import type { HostResolver } from '../../src/server/bootstrap/host-resolver.js';
import type { InitialCluster } from '../../src/server/bootstrap/new-member.js';
import {
  type OpenedMember,
  type OpenMemberOptions,
  openMember,
} from '../../src/server/bootstrap/open-member.js';
import type { LocalMember } from '../../src/server/local-member.js';
import type { PeerCalls } from '../../src/server/peer/peer-calls.js';
import { publish } from '../../src/server/publish.js';
import { Callers } from '../../src/server/rpc/callers.js';
import { kvService } from '../../src/server/rpc/kv-service.js';
import { leaseService } from '../../src/server/rpc/lease-service.js';
import type { RpcMethod } from '../../src/server/rpc/transport.js';
import { watchService } from '../../src/server/rpc/watch-service.js';
import { VersionMonitor } from '../../src/server/version-monitor.js';
import { isWalFault } from '../../src/storage/wal/wal-error.js';
import { SimulatedDisk } from './disk.js';
import type { Observed } from './invariants.js';
import type { SimulatedNetwork } from './network.js';
import { SimulatedProcess } from './process.js';
import type { Scheduler } from './scheduler.js';
import { Violation } from './violation.js';

/** Names are their own addresses. */
const NAMES: HostResolver = {
  address: async (host) => host,
  services: async () => [],
};

const DIRECTORIES = memberDirectories('/data', '');

/** What all members of a simulated world share. */
export interface World {
  readonly scheduler: Scheduler;
  readonly network: SimulatedNetwork;
  readonly random: Random;
  readonly settings: OpenMemberOptions['settings'];
  /** ms between progress responses of watchers. */
  readonly watchProgressMillis: number;
  readonly fragmentLimitBytes: number;
  /** How far clocks run fast or slow, as a fraction. */
  readonly clockDrift: number;
  readonly trace: (text: string) => void;
  readonly loggerOf: (name: string) => Logger;
  /** A member's process ended, for whatever reason. */
  readonly onEnded: (member: SimulatedMember) => void;
  readonly callsOf: (process: SimulatedProcess) => PeerCalls;
}

/** What a member has open while it runs. */
export interface Life {
  readonly process: SimulatedProcess;
  readonly opened: OpenedMember;
  readonly observed: Observed;
  readonly versions: VersionMonitor;
  readonly methods: ReadonlyMap<string, RpcMethod>;
  /** Whether clients may come. */
  isServing: boolean;
  /** Whether it was told to stop, and closes what it has open. */
  isStopping: boolean;
}

/** A member of the simulated cluster: its disks, and the process that runs on them, if any. */
export class SimulatedMember {
  readonly name: string;
  readonly id: bigint;
  readonly peerUrl: string;
  readonly disk: SimulatedDisk;
  readonly #world: World;
  readonly #initialCluster: () => InitialCluster;
  #life: Life | undefined;
  #process: SimulatedProcess | undefined;
  #isSpoilt = false;
  /** Whether noise may be at the end of its log. */
  #isGarbled = false;
  /** Whether its disk fails. */
  #mayFail = false;
  /** Whether it has been a member: until then, it may not find its cluster. */
  #hasJoined = false;
  #isRemoved = false;
  #lives = 0;

  constructor(world: World, name: string, initialCluster: () => InitialCluster, id: bigint) {
    this.#world = world;
    this.name = name;
    this.id = id;
    this.peerUrl = peerUrlOf(name);
    this.disk = new SimulatedDisk(world.random);
    this.#initialCluster = initialCluster;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  get process(): SimulatedProcess | undefined {
    return this.#process;
  }

  /** Whether it has started and told the others of it. */
  get isReady(): boolean {
    return this.#life?.isServing === true;
  }

  /** Whether clients may come. A learner refuses them. */
  get isServing(): boolean {
    return this.isReady && this.local?.isLearner === false;
  }

  get local(): LocalMember | undefined {
    return this.#life?.opened.member;
  }

  /** Whether noise was left on its disk, so that it may refuse to start, for good. */
  get isSpoilt(): boolean {
    return this.#isSpoilt;
  }

  /** Whether noise was left on its disk and it has not been read since. */
  get isGarbled(): boolean {
    return this.#isGarbled;
  }

  /** Whether it ended because it was removed from the cluster. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Starts the process; it opens its disks and serves some time later. */
  start(): void {
    if (this.#process !== undefined || this.#isSpoilt || this.#isRemoved) return;
    const { scheduler, random, clockDrift, trace } = this.#world;
    this.#lives++;
    const rate = 1 + (2 * random.float() - 1) * clockDrift;
    const process = new SimulatedProcess(
      `${this.name}.${this.#lives}`,
      scheduler,
      rate,
      // No two lives begin in the same millisecond, lest request ids be used twice.
      this.#lives * 1000,
    );
    this.#process = process;
    this.disk.attach(process);
    trace(`${process.name} starts`);
    this.#run(process).catch((error: unknown) => this.#endOpening(process, error));
  }

  async #run(process: SimulatedProcess): Promise<void> {
    const opened = await this.#open(process);
    const { member, node } = opened;
    const id = member.cluster.localMemberId;
    const versions = new VersionMonitor({ member, logger: silentLogger, downgradeCheckMillis: 0 });
    const life: Life = {
      process,
      opened,
      versions,
      observed: { name: process.name, id, node, member },
      methods: new Map(this.#methods(opened).map((method) => [method.path, method])),
      isServing: false,
      isStopping: false,
    };
    this.#life = life;
    this.#hasJoined = true;
    this.#isGarbled = false;
    member.start();
    versions.start();
    const attributes = { name: this.name, clientUrls: [`http://${this.name}:2379`] };
    try {
      await publish(member, attributes, silentLogger, versions);
    } catch (error) {
      if (life.isStopping) return;
      throw error;
    }
    life.isServing = true;
    this.#world.trace(`${process.name} serves`);
  }

  #open(process: SimulatedProcess): Promise<OpenedMember> {
    const { random, settings, network, loggerOf, callsOf } = this.#world;
    return openMember({
      fs: this.disk.fs,
      clock: process,
      random: seededRandom(random.integer(2 ** 31)),
      logger: loggerOf(process.name),
      directories: DIRECTORIES,
      initialCluster: this.#initialCluster(),
      settings,
      auth: {
        tokens: noTokens,
        hashPlainPassword: () => {
          throw new Error('nobody sets a password');
        },
      },
      openBackend: () => this.disk.openBackend(process, DIRECTORIES.snap),
      createTransport: network.transportOf(process),
      calls: callsOf(process),
      resolver: NAMES,
      onFatal: (error) => this.#endByItself(process, error),
    });
  }

  #methods({ member, watches }: OpenedMember): RpcMethod[] {
    const { settings, random, watchProgressMillis, fragmentLimitBytes } = this.#world;
    const callers = new Callers({
      auth: member.auth,
      authorizer: member.authorizer,
      tokens: noTokens,
      clock: member.clock,
      appliedIndex: () => member.appliedIndex,
      timeoutMillis: member.requestTimeoutMillis,
      trustsCertificates: false,
    });
    return [
      ...kvService({
        member,
        callers,
        maxTxnOps: 128,
        maxRequestBytes: settings.maxRequestBytes,
      }),
      ...leaseService(member, callers),
      ...watchService({
        hub: watches,
        callers,
        authorizer: member.authorizer,
        clock: member.clock,
        random,
        encodeHeader: (revision) => member.encodeHeader(revision),
        progressIntervalMillis: watchProgressMillis,
        fragmentLimitBytes,
      }),
    ];
  }

  /** Lets something go wrong with the disk that the process need not survive. */
  breakDisk(): void {
    if (this.#process === undefined) return;
    this.#mayFail = true;
    this.disk.failSoon();
  }

  /** Leaves little room on the disk, until the process ends. */
  fillDisk(freeBytes: number): void {
    if (this.#process === undefined) return;
    this.#mayFail = true;
    this.disk.fill(freeBytes);
  }

  /** Ends the process between two steps, and with `lose`, `tear` or `garble` the power as well. */
  crash(mode: CrashMode): void {
    const process = this.#process;
    if (process === undefined) return;
    this.#world.trace(`${process.name} crashes: ${mode}`);
    this.#end(process, mode);
  }

  get #isJoining(): boolean {
    return !this.#hasJoined && this.#initialCluster().state === 'existing';
  }

  /** Stops the member in an orderly way. */
  async stop(): Promise<void> {
    const { process, life } = { process: this.#process, life: this.#life };
    if (process === undefined || life === undefined || life.isStopping) return;
    this.#world.trace(`${process.name} stops`);
    life.isServing = false;
    life.isStopping = true;
    try {
      if (this.#world.random.integer(2) === 0) await life.opened.member.handOver();
      life.opened.watches.close();
      life.versions.stop();
      await life.opened.member.stop();
    } catch (error) {
      if (this.#process === process && !this.#mayFail)
        this.#refuse('does not stop', process, error);
    }
    if (this.#process === process) this.#end(process, 'keep');
  }

  #end(process: SimulatedProcess, mode: CrashMode): void {
    process.kill();
    this.disk.crash(mode);
    this.#mayFail = false;
    this.#isGarbled ||= mode === 'garble';
    this.#life = undefined;
    this.#process = undefined;
    this.#world.onEnded(this);
  }

  /** The member itself said that it can't go on. */
  #endByItself(process: SimulatedProcess, error: unknown): void {
    if (this.#process !== process) return;
    this.#world.trace(`${process.name} gives up: ${String(error)}`);
    if (error instanceof Error && error.name === 'MemberRemovedError') this.#isRemoved = true;
    else if (!this.#mayFail) this.#refuse('gives up', process, error);
    this.#end(process, this.#modeAfterFailure());
  }

  #endOpening(process: SimulatedProcess, error: unknown): void {
    if (this.#process !== process) return;
    this.#world.trace(`${process.name} does not start: ${String(error)}`);
    const isNoise = (['crc-mismatch', 'undecodable', 'unexpected-eof'] as const).some((fault) =>
      isWalFault(error, fault),
    );
    if (this.#isGarbled && isNoise) this.#isSpoilt = true;
    else if (!this.#mayFail && !this.#isJoining) this.#refuse('does not start', process, error);
    this.#end(process, this.#modeAfterFailure());
  }

  /** A disk that failed once may have dropped all that was not synced. */
  #modeAfterFailure(): CrashMode {
    const modes = this.#mayFail ? (['keep', 'lose', 'tear'] as const) : (['keep'] as const);
    return modes[this.#world.random.integer(modes.length)] ?? 'keep';
  }

  #refuse(what: string, { name }: SimulatedProcess, error: unknown): void {
    const violation = new Violation('no member fails without a cause', `${name} ${what}: ${error}`);
    violation.cause = error;
    this.#world.scheduler.fail(violation);
  }
}

export function peerUrlOf(name: string): string {
  return `http://${name}:2380`;
}
