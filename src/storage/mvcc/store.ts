import type { KeyText } from '../../base/bytes.js';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { Backend } from '../backend/backend.js';
import { readChanges } from './change-log.js';
import { type CompactionLimits, CompactionQueue } from './compaction.js';
import { markScheduled, readCompactionMarks } from './compaction-marks.js';
import { hashBackend, hashKeyValues } from './hashing.js';
import { CompactionHashes, type KeyValueHash } from './kv-hasher.js';
import { type MvccMetrics, silentMvccMetrics } from './metrics.js';
import { MvccReader } from './reader.js';
import { type RestoredState, restoreState, StateRestorer } from './restore.js';
import type { MvccState } from './state.js';
import type { LeaseAttachments, MvccChange, MvccHistory } from './types.js';
import { WriteTransaction } from './write-transaction.js';

export interface MvccStoreOptions extends CompactionLimits {
  readonly backend: Backend;
  /** Already recovered: the store attaches keys to leases while it opens. */
  readonly leases: LeaseAttachments;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once if the backend fails under a compaction; the owner must end the member. */
  readonly onFatal: (error: Error) => void;
  readonly metrics?: MvccMetrics;
  /** Told the rows read so far while the index is rebuilt. */
  readonly onRestoreProgress?: (rows: number) => void;
}

/** A HashKV answer with the revision for its header. */
export interface HashKeyValuesResult extends KeyValueHash {
  readonly currentRevision: number;
}

const ignoreProgress = (): void => {};

/**
 * The multi-version store of one member: a key index in memory over revisions in the backend
 * (reference: semantics 3). Reads and writes are synchronous; only compaction, hashing and the
 * restore take several turns of the event loop.
 */
export class MvccStore implements MvccHistory {
  readonly #options: MvccStoreOptions;
  readonly #metrics: MvccMetrics;
  readonly #hashes = new CompactionHashes();
  /** Hashes being taken: compactions decided after them wait for them. */
  readonly #hashing = new Set<Promise<unknown>>();
  #state: MvccState;
  #compactions: CompactionQueue;
  #onChange: (change: MvccChange) => void = () => {};
  #reader: MvccReader;

  private constructor(options: MvccStoreOptions, restored: RestoredState) {
    this.#options = options;
    this.#metrics = options.metrics ?? silentMvccMetrics;
    this.#state = restored.state;
    this.#reader = new MvccReader(restored.state);
    this.#compactions = this.#newQueue();
    this.#adopt(restored);
  }

  /**
   * Opens the store of a backend.
   *
   * @throws DecodeError if a row of the backend is not a KeyValue
   */
  static async open(options: MvccStoreOptions): Promise<MvccStore> {
    const { backend, clock, logger, onRestoreProgress = ignoreProgress } = options;
    const restored = await restoreState(backend, clock, logger, onRestoreProgress);
    return new MvccStore(options, restored);
  }

  /** What rebuilds the index for other contents of the backend; see {@link adopt}. */
  newRestorer(): StateRestorer {
    return new StateRestorer(this.#options.backend, this.#options.logger);
  }

  /** Stops what changes the backend by itself, before its contents are replaced. */
  stopCompactions(): Promise<void> {
    return this.#compactions.stop();
  }

  /**
   * Goes over to the contents that have just replaced those of the backend, as after a snapshot from
   * the leader. Lease attachments are made anew, so the lessor must have been restored before.
   * Compactions must have been stopped.
   */
  adopt(restorer: StateRestorer): void {
    const restored = restorer.finish();
    this.#hashes.clear();
    this.#state = restored.state;
    this.#reader = new MvccReader(restored.state);
    this.#compactions = this.#newQueue();
    this.#adopt(restored);
  }

  /** Stops compaction and waits for hashes. The backend stays open. */
  async close(): Promise<void> {
    await this.#compactions.stop();
    await Promise.allSettled(this.#hashing);
  }

  get currentRevision(): number {
    return this.#state.currentRevision;
  }

  get compactRevision(): number {
    return this.#state.compactRevision;
  }

  /** Keys in the index, deleted ones that were not compacted yet included. */
  get keys(): number {
    return this.#state.index.size;
  }

  /** Reads outside a write transaction. Do not keep it across {@link adopt}. */
  get reader(): MvccReader {
    return this.#reader;
  }

  /** Whether a lease exists that a put may attach its key to. */
  hasLease(id: bigint): boolean {
    return this.#options.leases.has(id);
  }

  /** Who is told of each change, before anybody can read it; replaces the one before. */
  setChangeListener(listener: (change: MvccChange) => void): void {
    this.#onChange = listener;
  }

  /** Opens a write transaction, which must end within this turn of the event loop. */
  write(): WriteTransaction {
    return new WriteTransaction({
      state: this.#state,
      leases: this.#options.leases,
      metrics: this.#metrics,
      onChange: (change) => this.#onChange(change),
    });
  }

  changesFrom(from: number): Iterable<MvccChange> {
    return readChanges(this.#state, from);
  }

  keyValueAt(key: KeyText, revision: number): Buffer | undefined {
    if (revision < this.#state.compactRevision) {
      return undefined;
    }
    const found = this.#reader.lookUp(key, revision);
    return found === undefined ? undefined : this.#reader.fetch(found);
  }

  /**
   * Decides a compaction: from now on revisions below `revision` cannot be read. Their rows are
   * deleted in the background; the promise resolves when that is done and durable, and rejects with
   * EtcdError Stopped if the store is closed first. It need not be awaited.
   *
   * @throws EtcdError Compacted if `revision` is not above the compacted one, FutureRev if it is
   *   above the current one
   */
  compact(revision: number): Promise<void> {
    if (revision <= this.#state.compactRevision) {
      throw etcdError('Compacted');
    }
    if (revision > this.#state.currentRevision) {
      throw etcdError('FutureRev');
    }
    return this.#schedule(revision);
  }

  /** Resolves when all compactions decided so far have ended, for a physical one that came late. */
  whenCompactionsEnd(): Promise<void> {
    return this.#compactions.whenIdle();
  }

  /**
   * Hashes the keys at `revision`, 0 for now (reference: semantics 3.8). If a compaction was at
   * exactly that revision, its stored hash is the answer, whose compactRevision is the one before.
   *
   * @throws EtcdError Compacted or FutureRev
   */
  async hashKeyValues(revision: number): Promise<HashKeyValuesResult> {
    const { currentRevision, compactRevision, index } = this.#state;
    const stored = this.#hashes.of(revision);
    if (stored !== undefined) {
      return { ...stored, currentRevision };
    }
    if (revision > 0 && revision < compactRevision) {
      throw etcdError('Compacted');
    }
    if (revision > currentRevision) {
      throw etcdError('FutureRev');
    }
    const target = revision === 0 ? currentRevision : revision;
    const hash = await this.#withSnapshot((snapshot) =>
      hashKeyValues(snapshot, index, compactRevision, target, this.#options.clock),
    );
    return { ...hash, currentRevision };
  }

  /** The hash of all buckets (reference: semantics 3.8, Hash). */
  hashBackend(): Promise<number> {
    return this.#withSnapshot((snapshot) => hashBackend(snapshot, this.#options.clock));
  }

  /** Hashes of the latest compactions, by ascending revision; at most ten. */
  get compactionHashes(): readonly KeyValueHash[] {
    return this.#hashes.all;
  }

  async #withSnapshot<T>(
    hash: (snapshot: Awaited<ReturnType<Backend['snapshot']>>) => Promise<T>,
  ): Promise<T> {
    const run = async (): Promise<T> => {
      const snapshot = await this.#state.backend.snapshot();
      try {
        return await hash(snapshot);
      } finally {
        snapshot.close();
      }
    };
    const running = run();
    this.#hashing.add(running);
    try {
      return await running;
    } finally {
      this.#hashing.delete(running);
    }
  }

  #schedule(revision: number): Promise<void> {
    const state = this.#state;
    const queue = this.#compactions;
    const { scheduled, finished } = readCompactionMarks(state.backend);
    const previousRevision = state.compactRevision;
    state.compactRevision = revision;
    markScheduled(state.backend, revision);
    const deleted = queue.add({
      revision,
      previousRevision,
      isPreviousFinished: scheduled === finished,
      // A hash reads the index as of a revision that this compaction may forget.
      ready: Promise.all([state.backend.commit(), Promise.allSettled(this.#hashing)]),
    });
    const durable = deleted.then(() => state.backend.commit());
    durable.catch((error: unknown) => {
      this.#options.logger.warn('compaction was interrupted', { revision, error: String(error) });
    });
    return durable;
  }

  #newQueue(): CompactionQueue {
    const { clock, logger, onFatal, compactionBatchLimit, compactionSleepMillis } = this.#options;
    return new CompactionQueue({
      state: this.#state,
      clock,
      logger,
      onFatal,
      metrics: this.#metrics,
      hashes: this.#hashes,
      ...(compactionBatchLimit === undefined ? {} : { compactionBatchLimit }),
      ...(compactionSleepMillis === undefined ? {} : { compactionSleepMillis }),
    });
  }

  #adopt(restored: RestoredState): void {
    const { leases, logger } = this.#options;
    for (const [key, lease] of restored.leases) {
      if (leases.has(lease)) {
        leases.attach(lease, key);
      } else {
        logger.error('failed to attach a lease', { 'lease-id': lease.toString(16) });
      }
    }
    this.#metrics.keys.set(this.#state.index.size);
    if (restored.unfinishedCompaction !== undefined) {
      // It reports its own failure.
      void this.#schedule(restored.unfinishedCompaction);
    }
  }
}
