import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { ConfChange } from '../../raft/confchange/conf-change.js';
import { RaftError } from '../../raft/errors.js';
import type { MemoryStorage } from '../../raft/memory-storage.js';
import type { RawNode } from '../../raft/raw-node.js';
import type { StorageAppend } from '../../raft/ready.js';
import {
  type Entry,
  type Message,
  MessageType,
  NONE,
  Role,
  type Snapshot,
  type SoftState,
} from '../../raft/types.js';
import type { WalWriter } from '../../storage/wal/writer.js';
import { withoutOutdated } from './acknowledgements.js';
import { AppendQueue } from './append-queue.js';
import { ApplyQueue } from './apply-queue.js';
import { IndexWaits, type WaitLimit } from './index-waits.js';
import { ProposalQueue } from './proposal-queue.js';
import { MAX_WAITING_READS, type ReadMetrics, ReadRounds } from './read-rounds.js';
import { TickWatch } from './tick-watch.js';

/** Messages of peers that may wait for their turn; more are dropped, and Raft repeats them. */
export const MAX_RECEIVED_MESSAGES = 16_384;

export interface RaftLoopOptions {
  readonly node: RawNode;
  readonly storage: MemoryStorage;
  readonly wal: WalWriter;
  readonly clock: Clock;
  readonly logger: Logger;
  /** One tick of Raft, ms. */
  readonly tickMillis: number;
  /** How long a linearizable read may wait, ms. */
  readonly readTimeoutMillis: number;
  readonly readMetrics?: ReadMetrics;
  readonly nextId: () => bigint;
  /** Whether somebody still waits for the proposal of that id. */
  readonly isAwaited: (id: bigint) => boolean;
  /** Applies one committed entry. Must not throw unless the member has to end. */
  readonly apply: (entry: Entry) => void;
  /** If defined, nothing is applied before it resolves: the backend has too much to write. */
  readonly backpressure: () => Promise<void> | undefined;
  /** Makes the file of a snapshot from the leader durable; its database is stored already. */
  readonly saveSnapshot: (snapshot: Snapshot) => Promise<void>;
  /** Replaces the state by that of such a snapshot. */
  readonly installSnapshot: (snapshot: Snapshot) => Promise<void>;
  /** Told after each slice of applied entries, with the last index. */
  readonly onApplied: (index: number) => void;
  readonly onSoftState: (state: SoftState) => void;
  /** Sends messages to other members. */
  readonly send: (messages: readonly Message[]) => void;
  /** The member can't go on: its disk failed, or log and state disagree. Called once. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * Carries out what Raft decided. The order of things, in one place:
 *
 *   1. input of a turn (messages, proposals, ticks, read requests) goes into the node together;
 *   2. messages that vouch for nothing leave at once, in parallel with our own write;
 *   3. appends queue up for the WAL; whatever queued while one write was under way goes into the
 *      next, with one sync: group commit without a timer;
 *   4. once durable, appends are reported to Raft, which may commit; messages that vouch for them
 *      leave then;
 *   5. committed entries are applied in order, in slices, and their waiters answered; a snapshot from
 *      the leader is saved before the entries that follow it, and replaces the state in its turn.
 *
 * Source: design of asynchronous storage writes in src/raft/raw-node.ts.
 */
export class RaftLoop {
  readonly #options: RaftLoopOptions;
  readonly #reads: ReadRounds;
  readonly #applies: ApplyQueue;
  #received: Message[] = [];
  /** A snapshot whose turn has not come; the entries before it are still being applied. */
  #heldSnapshot: Message | undefined;
  readonly #proposals: ProposalQueue;
  readonly #appends: AppendQueue;
  readonly #appliedWaits: IndexWaits;
  readonly #commitWaits: IndexWaits;
  #leader = NONE;
  #isLeader = false;
  #scheduled = false;
  /** Whether time passes for Raft as it should. */
  readonly ticks: TickWatch;
  #ticker: Timer | undefined;
  /** What those who come after the end are told; undefined while the loop runs. */
  #stopError: { readonly error: unknown } | undefined;

  /** @param applied the last index that counts as applied already: that of the start snapshot */
  constructor(options: RaftLoopOptions, applied: number) {
    this.#options = options;
    this.ticks = new TickWatch(options.tickMillis, options.clock.monotonicMillis());
    this.#appliedWaits = new IndexWaits(options.clock);
    this.#commitWaits = new IndexWaits(options.clock);
    this.#proposals = new ProposalQueue(options);
    this.#appends = new AppendQueue({
      wal: options.wal,
      saveSnapshot: options.saveSnapshot,
      isLeader: () => this.#isLeader,
      onSaved: (appends) => this.#guard(() => this.#reportAppends(appends)),
      onFatal: (error) => this.#fail(error),
    });
    this.#applies = new ApplyQueue(
      {
        apply: options.apply,
        install: options.installSnapshot,
        backpressure: options.backpressure,
        done: (apply) => options.node.applyDone(apply),
        onApplied: (index) => {
          options.onApplied(index);
          this.#appliedWaits.wake(index);
        },
        schedule: () => this.#schedule(),
        onFatal: (error) => this.#fail(error),
      },
      applied,
    );
    this.#reads = new ReadRounds({
      clock: options.clock,
      ask: (context) => {
        // Also called by a timer, where nobody else would see a failure.
        this.#guard(() => options.node.readIndex(context));
        this.#schedule();
      },
      nextId: options.nextId,
      timeoutMillis: options.readTimeoutMillis,
      logger: options.logger,
      ...(options.readMetrics === undefined ? {} : { metrics: options.readMetrics }),
    });
  }

  start(): void {
    const { clock, node, tickMillis } = this.#options;
    this.#ticker = clock.setPeriodic(tickMillis, () => {
      this.ticks.tick(clock.monotonicMillis());
      this.#guard(() => node.tick());
      if (this.#leader === NONE) this.#proposals.forgetLate();
      this.#schedule();
    });
    this.#schedule();
  }

  get appliedIndex(): number {
    return this.#applies.appliedIndex;
  }

  /** Lets time pass faster: nobody was heard of, and nobody will be before an election. */
  advanceTicks(ticks: number): void {
    this.#guard(() => {
      for (let tick = 0; tick < ticks; tick++) this.#options.node.tick();
    });
    this.#schedule();
  }

  /** Takes a message of a peer, at the end of this turn. False: there is no room for it. */
  receive(message: Message): boolean {
    if (this.#stopError !== undefined || this.#received.length >= MAX_RECEIVED_MESSAGES) {
      return false;
    }
    this.#received.push(message);
    this.#schedule();
    return true;
  }

  reportUnreachable(id: bigint): void {
    this.#guard(() => this.#options.node.reportUnreachable(id));
    this.#schedule();
  }

  reportSnapshot(id: bigint, succeeded: boolean): void {
    this.#guard(() => this.#options.node.reportSnapshot(id, succeeded));
    this.#schedule();
  }

  /** Asks the leader to hand over to `id`. Whether it does shows in the soft state. */
  transferLeader(id: bigint): void {
    this.#guard(() => this.#options.node.transferLeader(id));
    this.#schedule();
  }

  /**
   * Proposes an entry at the end of this turn, or once there is a leader. One that nobody waits for
   * any more by then is never proposed.
   * @param onDropped called if Raft refuses it; the entry will then never be applied
   */
  propose(id: bigint, data: Buffer, onDropped: (error: unknown) => void): void {
    if (this.#stopError !== undefined) {
      onDropped(this.#stopError.error);
      return;
    }
    this.#proposals.add({ id, data, onDropped });
    this.#schedule();
  }

  /** As {@link propose}, a change of the configuration. */
  proposeConfChange(id: bigint, change: ConfChange, onDropped: (error: unknown) => void): void {
    if (this.#stopError !== undefined) {
      onDropped(this.#stopError.error);
      return;
    }
    this.#proposals.addConfChange({ id, change, onDropped });
    this.#schedule();
  }

  /**
   * Resolves when a read of the applied state is linearizable.
   * @throws EtcdError LeaderChanged, Timeout, RequestTooManyRequests, Stopped
   */
  async linearizableRead(): Promise<void> {
    if (this.#stopError !== undefined) throw this.#stopError.error;
    // Those whose round is over wait without a timeout for what is applied late.
    if (this.#appliedWaits.size >= MAX_WAITING_READS) throw etcdError('RequestTooManyRequests');
    this.#schedule();
    await this.whenApplied(await this.#reads.wait());
  }

  /** @throws EtcdError Stopped; the error of the limit */
  whenApplied(index: number, limit?: WaitLimit): Promise<void> {
    return index <= this.appliedIndex ? Promise.resolve() : this.#appliedWaits.wait(index, limit);
  }

  /**
   * Resolves when the log on disk says that the entry at `index` is committed: a snapshot there
   * would otherwise vouch for what the log does not yet.
   * @throws EtcdError Stopped
   */
  whenCommitSaved(index: number): Promise<void> {
    return this.#savedCommit() >= index ? Promise.resolve() : this.#commitWaits.wait(index);
  }

  #savedCommit(): number {
    return this.#options.storage.initialState().hardState?.commit ?? 0;
  }

  /** Campaigns now instead of after a silence. */
  campaign(): void {
    this.#guard(() => this.#options.node.campaign());
    this.#schedule();
  }

  /** Asks pending reads again: called when a leader has committed in its term. */
  retryReads(): void {
    this.#reads.askAgain();
  }

  /** Takes part no longer. Resolves when the write and the installation under way have ended. */
  async stop(error: unknown): Promise<void> {
    this.#halt(error);
    await this.#appends.settle();
    await this.#applies.settle();
  }

  #halt(error: unknown): void {
    if (this.#stopError !== undefined) return;
    this.#stopError = { error };
    this.#ticker?.cancel();
    this.#reads.close(error);
    this.#received = [];
    this.#heldSnapshot = undefined;
    this.#proposals.close(error);
    this.#appliedWaits.close(error);
    this.#commitWaits.close(error);
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopError !== undefined) return;
    this.#scheduled = true;
    this.#options.clock.defer(() => {
      this.#scheduled = false;
      this.#guard(() => this.#turn());
    });
  }

  #guard(work: () => void): void {
    if (this.#stopError !== undefined) return;
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#stopError !== undefined) return;
    // What failed is for the log; clients are told that the server stops.
    this.#halt(etcdError('Stopped'));
    this.#options.onFatal(error);
  }

  #turn(): void {
    this.#stepAll();
    if (this.#leader !== NONE) this.#proposals.proposeAll(this.#isLeader);
    this.#reads.begin();
    this.#takeReady();
    this.#applies.run();
    this.#stepHeldSnapshot();
    this.#takeReady();
    this.#appends.write();
  }

  #stepAll(): void {
    if (this.#received.length === 0) return;
    const received = this.#received;
    this.#received = [];
    for (const message of received) {
      if (message.type === MessageType.Snap && !this.#applies.isIdle) this.#heldSnapshot = message;
      else if (!this.#isBehindHeldSnapshot(message)) this.#step(message);
    }
  }

  #step(message: Message): void {
    try {
      this.#options.node.step(message);
    } catch (error) {
      // Of a peer that is no member any more, or a proposal that nobody can take: as if lost.
      if (!(error instanceof RaftError)) throw error;
    }
  }

  /**
   * Trap: Raft takes over the configuration of a snapshot as soon as it hears of it. Changes from
   * before that are applied later would be made to it once more, and bring back members that it has
   * lost. So a snapshot waits until nothing is being applied.
   */
  #stepHeldSnapshot(): void {
    const message = this.#heldSnapshot;
    if (message === undefined || !this.#applies.isIdle) return;
    this.#heldSnapshot = undefined;
    this.#step(message);
  }

  /**
   * Whether an append follows a snapshot that Raft does not know yet: it would ask for another one.
   * The leader repeats the append.
   */
  #isBehindHeldSnapshot({ type, from, term }: Message): boolean {
    const held = this.#heldSnapshot;
    return type === MessageType.App && from === held?.from && term === held.term;
  }

  #takeReady(): void {
    const { node, send } = this.#options;
    while (node.hasReady()) {
      const ready = node.ready();
      if (ready.messages.length > 0) send(ready.messages);
      if (ready.softState !== undefined) this.#noteSoftState(ready.softState);
      for (const readState of ready.readStates) this.#reads.answer(readState);
      if (ready.append !== undefined) this.#appends.push(ready.append);
      if (ready.apply !== undefined) this.#applies.pushEntries(ready.apply);
    }
    // Reads that came while the round under way was not answered begin the next one.
    if (this.#reads.hasWaiting) this.#schedule();
  }

  #noteSoftState(state: SoftState): void {
    this.#isLeader = state.role === Role.Leader;
    if (state.lead !== this.#leader) {
      this.#leader = state.lead;
      this.#schedule();
    }
    this.#options.onSoftState(state);
  }

  /** Fails the reads that the former leader would have answered. */
  failReads(error: unknown): void {
    this.#reads.failRound(error);
  }

  #reportAppends(appends: readonly StorageAppend[]): void {
    const { node, storage, send } = this.#options;
    let answers: Message[] = [];
    for (const append of appends) {
      if (append.snapshot !== undefined) {
        storage.applySnapshot(append.snapshot);
        this.#applies.pushSnapshot(append.snapshot);
      }
      storage.append(append.entries);
      if (append.hardState !== undefined) storage.setHardState(append.hardState);
      const messages = node.appendDone(append);
      if (messages.length > 0) answers = answers.concat(messages);
    }
    if (answers.length > 0) send(withoutOutdated(answers));
    this.#commitWaits.wake(this.#savedCommit());
    // What came in while the disk was busy goes into the next write at once.
    this.#turn();
  }
}
