import { type Logger, silentLogger } from '../../src/base/logger.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { MessageType } from '../../src/raft/types.js';
import { planCluster } from '../../src/server/bootstrap/new-member.js';
import type { Lease } from '../../src/server/lease/lease.js';
import type { LocalMember } from '../../src/server/local-member.js';
import { MEMBER_SETTINGS } from '../support/in-memory-member.js';
import type { KeyspaceModel } from '../support/keyspace-model.js';
import { Chronicle } from './chronicle.js';
import { LONG_TTL_SECONDS, SimulatedClient } from './client.js';
import { Faults } from './faults.js';
import { checkHistory } from './history-checker.js';
import { Invariants } from './invariants.js';
import { checkLeases } from './lease-checker.js';
import { peerUrlOf, SimulatedMember, type World } from './member.js';
import { MembershipOperator } from './membership.js';
import { SimulatedNetwork } from './network.js';
import type { Operation, OperationRecord } from './operations.js';
import { SimulatedPeerCalls } from './peer-calls.js';
import type { SimulatedProcess } from './process.js';
import { type Profile, profileOf, showProfile } from './profile.js';
import { type Owner, Scheduler, WORLD } from './scheduler.js';
import { Violation } from './violation.js';
import { checkWatch } from './watch-checker.js';
import { WatchingClient } from './watching-client.js';

/** Time that the members have to come to rest when everything works again, virtual ms. */
const HEALING_MILLIS = 30_000;
const LOOK_MILLIS = 50;
/** Lines of a trace that a failure shows. */
const TRACE_LINES = 400;

/** What a run was like. */
export interface RunReport {
  readonly profile: Profile;
  readonly steps: number;
  readonly operations: number;
  readonly answered: number;
  readonly revisions: number;
  readonly leaderTerms: number;
  /** Snapshots that were sent. */
  readonly snapshots: number;
  /** Members that were added. */
  readonly joined: number;
  /** Members that were removed, and know it. */
  readonly removed: number;
  readonly virtualMillis: number;
}

/** A run that found something. Its text tells how to see it again. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
  readonly profile: Profile;

  /** @param changes what of the profile is otherwise than the seed has it */
  constructor(
    profile: Profile,
    changes: Partial<Profile>,
    cause: unknown,
    trace: readonly string[],
  ) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    const isChanged = Object.keys(changes).length > 0;
    const variables =
      `ETCDKIT_SIM_SEED=${profile.seed}` +
      (isChanged ? ` ETCDKIT_SIM_PROFILE='${JSON.stringify(changes)}'` : '');
    super(
      `seed ${profile.seed}: ${what}\n${showProfile(profile)}\n${trace.join('\n')}\n` +
        `again: ${variables} npx vitest run test/sim/simulation.test.ts`,
      { cause },
    );
    this.profile = profile;
  }
}

export interface RunOptions {
  /** Takes down what the members log, too. */
  readonly isVerbose?: boolean;
  /** What of the profile is to be otherwise. */
  readonly profile?: Partial<Profile>;
}

/**
 * Lives through the world of a seed.
 * @throws SimulationError if anything happened that must not
 */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunReport> {
  const simulation = new Simulation(seed, options);
  return simulation.run();
}

class Simulation {
  readonly #scheduler = new Scheduler();
  readonly #profile: Profile;
  readonly #random;
  readonly #network: SimulatedNetwork;
  readonly #chronicle = new Chronicle();
  readonly #invariants: Invariants;
  readonly #members: SimulatedMember[] = [];
  readonly #clients: SimulatedClient[] = [];
  readonly #watchers: WatchingClient[] = [];
  readonly #records: OperationRecord[] = [];
  readonly #faults: Faults;
  readonly #operator: MembershipOperator;
  readonly #trace: string[] = [];
  #snapshots = 0;
  readonly #isVerbose: boolean;
  readonly #changes: Partial<Profile>;

  constructor(seed: number, { profile = {}, isVerbose = false }: RunOptions) {
    this.#random = seededRandom(seed);
    this.#profile = { ...profileOf(seed, this.#random), ...profile };
    this.#isVerbose = isVerbose;
    this.#changes = profile;
    this.#network = new SimulatedNetwork(this.#scheduler, this.#random);
    this.#invariants = new Invariants(this.#scheduler, this.#chronicle);
    this.#network.onSent = (from, message) => {
      if (message.type === MessageType.Snap) this.#snapshots++;
      this.#invariants.noteMessage(from, message);
      this.#faults.noteMessage('sent', from, message);
    };
    this.#network.onArrived = (to, message) => this.#faults.noteMessage('arrived', to, message);
    this.#scheduler.afterStep = (owner) => this.#look(owner);
    const world = this.#newWorld();
    this.#makeMembers(world);
    this.#operator = new MembershipOperator({
      world,
      random: this.#random,
      members: this.#members,
    });
    this.#makeClients();
    this.#faults = new Faults({
      profile: this.#profile,
      random: this.#random,
      scheduler: this.#scheduler,
      network: this.#network,
      members: () => this.#members.filter(({ isRemoved }) => !isRemoved),
      changeMembers: () => this.#operator.change(),
      trace: (text) => this.#note(text),
    });
  }

  async run(): Promise<RunReport> {
    const onStray = (error: unknown): void =>
      this.#scheduler.fail(new Error('a rejection that nobody handles', { cause: error }));
    process.on('unhandledRejection', onStray);
    try {
      await this.#scheduler.run(this.#live());
    } catch (error) {
      const trace = this.#trace.slice(-TRACE_LINES);
      throw new SimulationError(this.#profile, this.#changes, error, trace);
    } finally {
      process.off('unhandledRejection', onStray);
    }
    return {
      profile: this.#profile,
      steps: this.#scheduler.steps,
      operations: this.#records.length,
      answered: this.#records.filter(({ outcome }) => outcome.kind === 'answered').length,
      revisions: this.#chronicle.lastRevision,
      leaderTerms: this.#invariants.leaderTerms,
      snapshots: this.#snapshots,
      joined: this.#members.length - this.#profile.members,
      removed: this.#members.filter(({ isRemoved }) => isRemoved).length,
      virtualMillis: this.#scheduler.now,
    };
  }

  async #live(): Promise<void> {
    const { durationMillis } = this.#profile;
    for (const member of this.#members) member.start();
    for (const watcher of this.#watchers) watcher.start();
    await Promise.all([
      ...this.#clients.map((client) => client.work(durationMillis)),
      this.#faults.work(durationMillis),
    ]);
    this.#faults.heal();
    await this.#rest();
    await this.#verify();
  }

  /** Progress: all members serve, a client is served by each, and all have applied the same. */
  async #rest(): Promise<void> {
    const deadline = this.#scheduler.now + HEALING_MILLIS;
    let names: string;
    // A change of the members that was begun before may come through even now.
    do {
      names = this.#names();
      await this.#waitUntil('all members serve', deadline, () => this.#allServe());
      for (const member of this.#present()) await this.#writeAt(member, deadline);
      await this.#waitUntil('leases end that nobody renews', deadline, () =>
        this.#present().every(({ local }) => local?.lessor.list().every(isLong)),
      );
      await this.#waitUntil('all members apply the same', deadline, () =>
        this.#allAppliedTheSame(),
      );
      await this.#waitUntil('all watchers are told of everything', deadline, () =>
        this.#watchers.every((watch) => this.#checkWatch(watch)),
      );
      // Nor is a sync that a broken disk held back, and whose failure ends its member only now.
    } while (names !== this.#names() || !this.#allServe() || !this.#allAppliedTheSame());
  }

  #allServe(): boolean {
    return this.#present().every(({ isReady }) => isReady);
  }

  #allAppliedTheSame(): boolean {
    return new Set(this.#present().map(({ local }) => local?.appliedIndex)).size === 1;
  }

  #names(): string {
    return this.#present()
      .map(({ name }) => name)
      .join();
  }

  async #writeAt(member: SimulatedMember, deadline: number): Promise<void> {
    let count = 0;
    while (member.isServing && this.#present().includes(member)) {
      const value = `end.${member.name}.${this.#scheduler.steps}.${count++}`;
      const put: Operation = { kind: 'put', key: 'k0', value, lease: 0n };
      const record = await this.#clients[0]?.send(put, member);
      if (record?.outcome.kind === 'answered') return;
      this.#require('every member takes writes', deadline);
    }
  }

  async #waitUntil(what: string, deadline: number, isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      this.#operator.adopt();
      this.#require(what, deadline);
      await this.#scheduler.sleep(LOOK_MILLIS);
    }
  }

  #require(what: string, deadline: number): void {
    if (this.#scheduler.now < deadline) return;
    const states = this.#members.map((member) => `${member.name}: ${stateOf(member)}`);
    throw new Violation(
      'progress',
      `not within ${HEALING_MILLIS} ms: ${what}\n${states.join('\n')}`,
    );
  }

  /** The members of the cluster, but for those that lost their disk. */
  #present(): SimulatedMember[] {
    return this.#operator.present().filter(({ isSpoilt }) => !isSpoilt);
  }

  #checkWatch(watch: WatchingClient): boolean {
    const asked = this.#records.flatMap(({ operation }) =>
      operation.kind === 'compact' ? [operation.revision] : [],
    );
    return checkWatch({
      chronicle: this.#chronicle.entries,
      compactedTo: Math.max(0, ...asked),
      watch,
    });
  }

  /** What must be true at the end. */
  async #verify(): Promise<void> {
    for (const watcher of this.#watchers) watcher.stop();
    const model = checkHistory({ chronicle: this.#chronicle.entries, records: this.#records });
    let first: { readonly name: string; readonly text: string } | undefined;
    for (const { name, local } of this.#present()) {
      if (local === undefined) continue;
      const { hash, compactRevision } = await local.store.hashKeyValues(0);
      if (model.currentRevision !== local.store.currentRevision) {
        throw new Violation('equal state', `${name} is at ${local.store.currentRevision}`);
      }
      requireHash(model, name, hash, compactRevision);
      this.#checkLeases(local);
      const leases = local.lessor
        .list()
        .map(({ id, keys }) => `${id}:${[...keys].sort()}`)
        .sort();
      const members = local.cluster.members().map(({ id, isLearner }) => `${id}${isLearner}`);
      const text = JSON.stringify({ hash, compactRevision, leases, members });
      first ??= { name, text };
      if (text !== first.text) {
        throw new Violation('equal state', `${name} has ${text}, ${first.name} ${first.text}`);
      }
    }
  }

  #checkLeases({ lessor, electionMillis }: LocalMember): void {
    checkLeases({
      chronicle: this.#chronicle.entries,
      records: this.#records,
      remaining: new Set(lessor.list().map(({ id }) => id)),
      now: this.#scheduler.now,
      marginMillis: 2 * electionMillis,
      clockDrift: this.#profile.clockDrift,
    });
  }

  #look(owner: Owner): void {
    for (const { life } of this.#members) {
      if (life === undefined || life.isStopping) continue;
      if (owner === life.process || owner === WORLD) this.#invariants.look(life.observed);
    }
  }

  #makeMembers(world: World): void {
    const names = Array.from({ length: this.#profile.members }, (_, at) => `m${at}`);
    const peerUrls = new Map(names.map((name) => [name, [peerUrlOf(name)]]));
    for (const name of names) {
      const initial = {
        name,
        peerUrls,
        advertisedPeerUrls: [peerUrlOf(name)],
        token: 'sim',
        state: 'new' as const,
      };
      const id = planCluster(initial).memberId;
      this.#members.push(new SimulatedMember(world, name, () => initial, id));
    }
  }

  #makeClients(): void {
    const members = (): readonly SimulatedMember[] => this.#members;
    for (let at = 0; at < this.#profile.clients; at++) {
      this.#clients.push(
        new SimulatedClient({
          name: `c${at}`,
          profile: this.#profile,
          network: this.#network,
          random: this.#random,
          members,
          records: this.#records,
        }),
      );
    }
    for (let at = 0; at < this.#profile.watchers; at++) {
      this.#watchers.push(
        new WatchingClient({
          name: `w${at}`,
          key: at === 0 ? 'k' : 'k0',
          end: at === 0 ? 'm' : '',
          network: this.#network,
          random: this.#random,
          members,
          onFailure: (error) => this.#scheduler.fail(error),
        }),
      );
    }
  }

  #newWorld(): World {
    const { heartbeatMillis, electionTicks, preVote, clockDrift } = this.#profile;
    const { snapshotCount, snapshotCatchUpEntries, walSegmentBytes } = this.#profile;
    const { leaseCheckpointMillis, persistsLeaseCheckpoints } = this.#profile;
    return {
      scheduler: this.#scheduler,
      network: this.#network,
      random: this.#random,
      settings: {
        ...MEMBER_SETTINGS,
        heartbeatMillis,
        electionTicks,
        preVote,
        snapshotCount,
        snapshotCatchUpEntries,
        walSegmentBytes,
        compactionBatchLimit: 10,
        leaseCheckpointMillis,
        persistsLeaseCheckpoints,
      },
      watchProgressMillis: 300,
      fragmentLimitBytes: 200,
      clockDrift,
      trace: (text) => this.#note(text),
      loggerOf: (name) => (this.#isVerbose ? this.#loggerOf(name) : silentLogger),
      onEnded: (member) => this.#faults.startAgain(member),
      callsOf: (process: SimulatedProcess) =>
        new SimulatedPeerCalls(this.#network, () => this.#members, process),
    };
  }

  #note(text: string): void {
    this.#trace.push(`${this.#scheduler.now.toFixed(1)} ${text}`);
    if (this.#trace.length > 2 * TRACE_LINES) this.#trace.splice(0, TRACE_LINES);
  }

  #loggerOf(name: string): Logger {
    const log =
      (level: string) =>
      (message: string, fields?: object): void => {
        const rest =
          fields === undefined
            ? ''
            : JSON.stringify(fields, (_, value) =>
                typeof value === 'bigint' ? String(value) : value,
              );
        this.#note(`${name} ${level} ${message} ${rest}`);
      };
    const logger: Logger = {
      debug: () => {},
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      fatal: log('fatal'),
      named: () => logger,
      at: () => logger,
    };
    return logger;
  }
}

/** What the keys and their past hash to, by the book. */
function requireHash(
  model: KeyspaceModel,
  name: string,
  hash: number,
  compactRevision: number,
): void {
  if (compactRevision > model.compactRevision) model.compact(compactRevision);
  if (model.live.size === 0) return;
  const expected = model.hashAt(model.currentRevision);
  if (hash === expected) return;
  throw new Violation('equal state', `${name} has the hash ${hash}, not ${expected}`);
}

function isLong({ ttlSeconds }: Lease): boolean {
  return ttlSeconds >= LONG_TTL_SECONDS;
}

function stateOf({ local, isServing, isSpoilt, isRemoved, process }: SimulatedMember): string {
  if (local === undefined) {
    if (isSpoilt) return 'spoilt';
    if (isRemoved) return 'removed';
    return process === undefined ? 'down' : 'starting';
  }
  const { term, leaderId, committedIndex, appliedIndex } = local;
  return JSON.stringify({
    isServing,
    term,
    leader: leaderId.toString(16),
    committedIndex,
    appliedIndex,
    revision: local.store.currentRevision,
  });
}
