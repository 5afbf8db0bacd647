import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { RaftError } from '../../raft/errors.js';
import type { MemoryStorage } from '../../raft/memory-storage.js';
import type { RawNode } from '../../raft/raw-node.js';
import type { StorageAppend, StorageApply } from '../../raft/ready.js';
import {
  type Entry,
  type HardState,
  type Message,
  NONE,
  type SoftState,
} from '../../raft/types.js';
import type { WalWriter } from '../../storage/wal/writer.js';
import { IndexWaits } from './index-waits.js';
import { ReadRounds } from './read-rounds.js';

/** Entries applied before the event loop gets a chance to do something else. */
const APPLY_SLICE = 256;

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
  readonly nextId: () => bigint;
  /** Whether somebody still waits for the proposal of that id. */
  readonly isAwaited: (id: bigint) => boolean;
  /** Applies one committed entry. Must not throw unless the member has to end. */
  readonly apply: (entry: Entry) => void;
  /** If defined, nothing is applied before it resolves: the backend has too much to write. */
  readonly backpressure: () => Promise<void> | undefined;
  /** Told after each slice of applied entries, with the last index. */
  readonly onApplied: (index: number) => void;
  readonly onSoftState: (state: SoftState) => void;
  /** Sends messages to other members. */
  readonly send: (messages: readonly Message[]) => void;
  /** The member can't go on: its disk failed, or log and state disagree. Called once. */
  readonly onFatal: (error: unknown) => void;
}

interface Proposal {
  readonly id: bigint;
  readonly data: Buffer;
  readonly onDropped: (error: unknown) => void;
}

/**
 * Carries out what Raft decided. The order of things, in one place:
 *
 *   1. input of a turn (proposals, ticks, read requests) goes into the node together;
 *   2. messages that vouch for nothing leave at once, in parallel with our own write;
 *   3. appends queue up for the WAL; whatever queued while one write was under way goes into the
 *      next, with one sync: group commit without a timer;
 *   4. once durable, appends are reported to Raft, which may commit; messages that vouch for them
 *      leave then;
 *   5. committed entries are applied in order, in slices, and their waiters answered.
 *
 * Source: design of asynchronous storage writes in src/raft/raw-node.ts.
 */
export class RaftLoop {
  readonly #options: RaftLoopOptions;
  readonly #reads: ReadRounds;
  #proposals: Proposal[] = [];
  #appends: StorageAppend[] = [];
  readonly #applies: StorageApply[] = [];
  /** Position in the first of the applies. */
  #applyPosition = 0;
  #applied: number;
  readonly #appliedWaits = new IndexWaits();
  readonly #commitWaits = new IndexWaits();
  #leader = NONE;
  #scheduled = false;
  #writing: Promise<void> | undefined;
  #ticker: Timer | undefined;
  /** What those who come after the end are told; undefined while the loop runs. */
  #stopError: { readonly error: unknown } | undefined;
  #applyPaused = false;

  /** @param applied the last index that counts as applied already: that of the start snapshot */
  constructor(options: RaftLoopOptions, applied: number) {
    this.#options = options;
    this.#applied = applied;
    this.#reads = new ReadRounds({
      clock: options.clock,
      ask: (context) => {
        options.node.readIndex(context);
        this.#schedule();
      },
      nextId: options.nextId,
      timeoutMillis: options.readTimeoutMillis,
    });
  }

  start(): void {
    const { clock, node, tickMillis } = this.#options;
    this.#ticker = clock.setPeriodic(tickMillis, () => {
      node.tick();
      this.#forgetLateProposals();
      this.#schedule();
    });
    this.#schedule();
  }

  get appliedIndex(): number {
    return this.#applied;
  }

  /** Proposals that have not reached Raft yet. */
  get waitingProposals(): number {
    return this.#proposals.length;
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
    this.#proposals.push({ id, data, onDropped });
    this.#schedule();
  }

  /**
   * Resolves when a read of the applied state is linearizable.
   * @throws EtcdError LeaderChanged, Timeout, Stopped
   */
  async linearizableRead(): Promise<void> {
    if (this.#stopError !== undefined) throw this.#stopError.error;
    this.#schedule();
    const index = await this.#reads.wait();
    if (index > this.#applied) await this.#appliedWaits.wait(index);
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

  /** Takes part no longer. Resolves when the write under way has ended. */
  async stop(error: unknown): Promise<void> {
    this.#halt(error);
    await this.#writing;
  }

  #halt(error: unknown): void {
    if (this.#stopError !== undefined) return;
    this.#stopError = { error };
    this.#ticker?.cancel();
    this.#reads.close(error);
    const proposals = this.#proposals;
    this.#proposals = [];
    for (const { onDropped } of proposals) onDropped(error);
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
    this.#halt(error);
    this.#options.onFatal(error);
  }

  #turn(): void {
    this.#proposeAll();
    this.#reads.begin();
    this.#takeReady();
    this.#applySlice();
    this.#takeReady();
    this.#write();
  }

  #proposeAll(): void {
    if (this.#proposals.length === 0 || this.#leader === NONE) return;
    const proposals = this.#proposals;
    this.#proposals = [];
    try {
      this.#options.node.proposeBatch(proposals.map(({ data }) => data));
    } catch (error) {
      for (const { onDropped } of proposals) onDropped(error);
      if (!(error instanceof RaftError)) throw error;
    }
  }

  /** Without a leader proposals wait; those whose clients were told Timeout must not pile up. */
  #forgetLateProposals(): void {
    if (this.#leader !== NONE || this.#proposals.length === 0) return;
    this.#proposals = this.#proposals.filter(({ id }) => this.#options.isAwaited(id));
  }

  #takeReady(): void {
    const { node, send } = this.#options;
    while (node.hasReady()) {
      const ready = node.ready();
      if (ready.messages.length > 0) send(ready.messages);
      if (ready.softState !== undefined) this.#noteSoftState(ready.softState);
      for (const readState of ready.readStates) this.#reads.answer(readState);
      if (ready.append !== undefined) this.#appends.push(ready.append);
      if (ready.apply !== undefined) this.#applies.push(ready.apply);
    }
    // Reads that came while the round under way was not answered begin the next one.
    if (this.#reads.hasWaiting) this.#schedule();
  }

  #noteSoftState(state: SoftState): void {
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

  #write(): void {
    if (this.#writing !== undefined || this.#appends.length === 0) return;
    const appends = this.#appends;
    this.#appends = [];
    this.#writing = this.#save(appends)
      .then(() => {
        this.#writing = undefined;
        this.#guard(() => this.#reportAppends(appends));
      })
      .catch((error: unknown) => this.#fail(error));
  }

  async #save(appends: readonly StorageAppend[]): Promise<void> {
    let hardState: HardState | undefined;
    const entries: Entry[] = [];
    for (const append of appends) {
      if (append.snapshot !== undefined) {
        throw new Error('a snapshot from a leader is not supported yet');
      }
      hardState = append.hardState ?? hardState;
      for (const entry of append.entries) entries.push(entry);
    }
    await this.#options.wal.save(hardState, entries);
  }

  #reportAppends(appends: readonly StorageAppend[]): void {
    const { node, storage, send } = this.#options;
    for (const append of appends) {
      storage.append(append.entries);
      if (append.hardState !== undefined) storage.setHardState(append.hardState);
      const messages = node.appendDone(append);
      if (messages.length > 0) send(messages);
    }
    this.#commitWaits.wake(this.#savedCommit());
    // What came in while the disk was busy goes into the next write at once.
    this.#turn();
  }

  #applySlice(): void {
    if (this.#applyPaused) return;
    let budget = APPLY_SLICE;
    for (let next = this.#applies[0]; next !== undefined; next = this.#applies[0]) {
      const { entries } = next;
      while (this.#applyPosition < entries.length) {
        const pressure = this.#options.backpressure();
        if (pressure !== undefined || budget-- === 0) {
          this.#afterApply();
          this.#resumeApply(pressure);
          return;
        }
        const entry = entries[this.#applyPosition++] as Entry;
        this.#options.apply(entry);
        this.#applied = entry.index;
      }
      this.#applies.shift();
      this.#applyPosition = 0;
      this.#options.node.applyDone(next);
      if (this.#applies.length === 0) this.#afterApply();
    }
  }

  #resumeApply(pressure: Promise<void> | undefined): void {
    if (pressure === undefined) {
      this.#schedule();
      return;
    }
    this.#applyPaused = true;
    pressure
      .then(() => {
        this.#applyPaused = false;
        this.#schedule();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #afterApply(): void {
    this.#options.onApplied(this.#applied);
    this.#appliedWaits.wake(this.#applied);
  }
}
