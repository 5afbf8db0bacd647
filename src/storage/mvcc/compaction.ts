import { type KeyText, keyText } from '../../base/bytes.js';
import { formatGoMillis, humanizeBytes } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import { keyOf } from '../../proto/hot/key-value.js';
import { markFinished } from './compaction-marks.js';
import { type CompactionHashes, type KeyValueHash, KeyValueHasher } from './kv-hasher.js';
import type { MvccMetrics } from './metrics.js';
import {
  encodeMainRevision,
  encodeRevisionKey,
  mainRevisionOf,
  subRevisionOf,
} from './revision-key.js';
import type { MvccState } from './state.js';

/** Keys of the index compacted in one turn of the event loop: about a millisecond. */
const INDEX_CHUNK_KEYS = 500;

/** --compaction-batch-limit: rows visited in one batch. */
export const DEFAULT_COMPACTION_BATCH_LIMIT = 1000;
/** --compaction-sleep-interval, milliseconds between two batches. */
export const DEFAULT_COMPACTION_SLEEP_MILLIS = 10;

export interface CompactionLimits {
  readonly compactionBatchLimit?: number;
  readonly compactionSleepMillis?: number;
}

export interface CompactionContext extends CompactionLimits {
  readonly state: MvccState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MvccMetrics;
  readonly hashes: CompactionHashes;
  /** Called once with a failure of the backend, after which no job runs any more. */
  onFatal(error: Error): void;
}

/** One compaction that was decided and waits to be carried out. */
export interface CompactionJob {
  readonly revision: number;
  /** The revision compacted before this one. */
  readonly previousRevision: number;
  /** Whether the previous one was finished when this was decided: only then its hash is whole. */
  readonly isPreviousFinished: boolean;
  /** What must have happened before the job touches the index: a commit, hashes being taken. */
  readonly ready: Promise<unknown>;
}

/**
 * Carries out compactions one after another in small steps between which the event loop runs
 * (reference: semantics 3.7). Jobs wait in the order they came; there are no more of them than
 * distinct compacted revisions.
 */
export class CompactionQueue {
  readonly #context: CompactionContext;
  #tail: Promise<void> = Promise.resolve();
  #isStopped = false;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;

  constructor(context: CompactionContext) {
    this.#context = context;
  }

  /**
   * Queues a job. The promise resolves when its rows are deleted, not when that is committed. It
   * rejects with EtcdError Stopped if the queue was stopped first, or with the backend's error.
   */
  add(job: CompactionJob): Promise<void> {
    // Listen to it from the start: its failure must not count as unhandled while it waits.
    const ready = job.ready.then(
      () => undefined,
      (error: unknown) => toError(error),
    );
    const done = this.#tail.then(async () => {
      try {
        const failure = await ready;
        if (failure !== undefined) {
          throw failure;
        }
        await this.#run(job);
      } catch (error) {
        this.#fail(error);
        throw error;
      }
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Resolves when all jobs queued so far have ended, in whatever way. */
  whenIdle(): Promise<void> {
    return this.#tail;
  }

  /** Ends the running job at its next step and all that wait; resolves when none runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#wake?.();
    await this.#tail;
  }

  #fail(error: unknown): void {
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#context.onFatal(toError(error));
    }
  }

  async #run(job: CompactionJob): Promise<void> {
    const { clock, metrics, hashes } = this.#context;
    const started = clock.monotonicMillis();
    const hasher = await this.#compactIndex(job);
    metrics.indexCompactionMillis.observe(clock.monotonicMillis() - started);
    const deleted = await this.#compactRows(job, hasher);
    const { result } = hasher;
    if (job.isPreviousFinished) {
      hashes.store(result);
    }
    const took = clock.monotonicMillis() - started;
    metrics.compactionTotalMillis.observe(took);
    this.#tell(result, deleted, took);
  }

  /** Operators wait for this line (reference: server 3.3). */
  #tell({ revision, hash }: KeyValueHash, deleted: number, millis: number): void {
    const { logger, state } = this.#context;
    const { allocated, inUse } = state.backend.size();
    logger.info('finished scheduled compaction', {
      'compact-revision': revision,
      took: formatGoMillis(millis),
      'number-of-keys-compacted': deleted,
      hash,
      'current-db-size-bytes': allocated,
      'current-db-size': humanizeBytes(allocated),
      'current-db-size-in-use-bytes': inUse,
      'current-db-size-in-use': humanizeBytes(inUse),
    });
  }

  async #compactIndex(job: CompactionJob): Promise<KeyValueHasher> {
    const { index } = this.#context.state;
    let anyRetained = false;
    let next: KeyText | undefined = '';
    while (next !== undefined) {
      this.#requireRunning();
      const step = index.compactChunk(next, job.revision, INDEX_CHUNK_KEYS);
      anyRetained ||= step.anyRetained;
      next = step.next;
      if (next !== undefined) {
        await this.#nextTurn();
      }
    }
    // Once the index is compacted, it holds exactly the old revisions whose rows stay.
    const isKept = (key: Buffer, value: Buffer): boolean =>
      index.contains(keyText(keyOf(value)), mainRevisionOf(key), subRevisionOf(key));
    return new KeyValueHasher(job.previousRevision, job.revision, anyRetained ? isKept : undefined);
  }

  /** The result is how many rows were deleted. */
  async #compactRows(job: CompactionJob, hasher: KeyValueHasher): Promise<number> {
    const { state, clock, metrics } = this.#context;
    const batchLimit = this.#context.compactionBatchLimit || DEFAULT_COMPACTION_BATCH_LIMIT;
    const end = encodeMainRevision(job.revision + 1);
    let start = encodeRevisionKey(0, 0);
    let deleted = 0;
    for (;;) {
      this.#requireRunning();
      const began = clock.monotonicMillis();
      const { last, deletedRows } = this.#compactBatch(start, end, batchLimit, hasher);
      deleted += deletedRows;
      if (last === undefined) {
        markFinished(state.backend, job.revision);
      }
      metrics.compactionPauseMillis.observe(clock.monotonicMillis() - began);
      if (last === undefined) {
        return deleted;
      }
      start = encodeRevisionKey(mainRevisionOf(last), subRevisionOf(last) + 1);
      await state.backend.commit();
      await this.#sleep();
    }
  }

  /** `last` is the last row's key of a full batch, undefined after the last batch. */
  #compactBatch(
    start: Buffer,
    end: Buffer,
    limit: number,
    hasher: KeyValueHasher,
  ): { readonly last: Buffer | undefined; readonly deletedRows: number } {
    const { state, metrics } = this.#context;
    const rows = [...state.backend.range('key', start, end, limit)];
    let deletedRows = 0;
    for (const [key, value] of rows) {
      const main = mainRevisionOf(key);
      if (!state.index.contains(keyText(keyOf(value)), main, subRevisionOf(key))) {
        state.backend.delete('key', key);
        deletedRows++;
      }
      hasher.add(key, value);
    }
    metrics.compactedRows.inc(deletedRows);
    return { last: rows.length < limit ? undefined : rows.at(-1)?.[0], deletedRows };
  }

  #requireRunning(): void {
    if (this.#isStopped) {
      throw etcdError('Stopped');
    }
  }

  /** Lets the event loop run. */
  #nextTurn(): Promise<void> {
    return this.#pause((wake) => this.#context.clock.defer(wake));
  }

  #sleep(): Promise<void> {
    const millis = this.#context.compactionSleepMillis ?? DEFAULT_COMPACTION_SLEEP_MILLIS;
    return this.#pause((wake) => {
      this.#timer = this.#context.clock.setTimer(millis, wake);
    });
  }

  /** Waits for the wake-up that `arrange` arranges, or for the stop of the queue. */
  async #pause(arrange: (wake: () => void) => void): Promise<void> {
    if (this.#isStopped) {
      return;
    }
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      arrange(resolve);
    });
    this.#wake = undefined;
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
