import type { Logger } from '../../base/logger.js';
import type { Counter, Gauge } from '../../base/metrics.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { etcdError, GrpcCode, RpcError } from '../../proto/errors.js';
import { RecordChunk, USUAL_RECORD_BYTES } from './record-chunk.js';

/** Records that may wait for the disk, bytes; with more, new requests have to wait. */
const MAX_QUEUED_AUDIT_BYTES = 8 * 1024 * 1024;
/** Requests that may wait for the audit log; further ones are refused. */
const MAX_AUDIT_WAITS = 10_000;
/** How long records gather before they are written together, ms. */
const GATHER_MILLIS = 10;
/** After a failed write, until the next attempt, ms. */
const RETRY_MILLIS = 1000;
/** Chunks that are handed over at a time. */
const MAX_BATCH_CHUNKS = 16;
/** Chunks that are kept to be used again. */
const MAX_FREE_CHUNKS = 16;
/** The clocks are compared for each chunk; up to this difference it is their granularity, ms. */
const CLOCK_TOLERANCE_MILLIS = 2;

/** How far the writing of some chunks came. */
export interface AuditProgress {
  /** Of how many of their records, from the first on, the lines are written. */
  readonly records: number;
  /** Why it is not all of them. */
  readonly failure?: string | undefined;
}

/** Makes lines of records and writes them, one {@link write} at a time. */
export interface AuditSink {
  /** @param from records at the beginning whose lines are written already */
  write(chunks: readonly Uint8Array[], from: number): Promise<AuditProgress>;
  close(): Promise<void>;
}

/** A request that did nothing, because there can be no line about it. It has none, either. */
export class AuditRefusal extends RpcError {}

export interface AuditMetrics {
  readonly lines: Counter;
  readonly queuedBytes: Gauge;
  readonly waits: Counter;
  readonly refusals: Counter;
  readonly writeFailures: Counter;
  readonly lostLines: Counter;
}

export interface AuditQueueOptions {
  readonly sink: AuditSink;
  readonly clock: Pick<Clock, 'setTimer' | 'wallMillis' | 'monotonicMillis'>;
  readonly logger: Logger;
  readonly metrics: AuditMetrics;
  /** How long a request waits for room, ms. */
  readonly timeoutMillis: number;
  /** Default {@link MAX_QUEUED_AUDIT_BYTES}. */
  readonly maxQueuedBytes?: number;
}

interface Waiter {
  readonly run: () => void;
  readonly refuse: (error: RpcError) => void;
  readonly timer: Timer;
}

/**
 * Records on their way to the disk, in the order they came. None is dropped while the server runs:
 * when the disk is slower than the requests, or fails, new requests wait, and are refused at last.
 */
export class AuditQueue {
  readonly #options: AuditQueueOptions;
  readonly #limit: number;
  /** Where the next record goes. */
  #open: RecordChunk | undefined;
  /** Of which nothing is being written yet. */
  #full: RecordChunk[] = [];
  readonly #free: RecordChunk[] = [];
  /** In chunks that are full or being written. */
  #unwrittenBytes = 0;
  #offset = Number.NaN;
  #gathering: Timer | undefined;
  #draining: Promise<void> | undefined;
  #retry: (() => void) | undefined;
  /** First come, first served. */
  readonly #waiters = new Set<Waiter>();
  #closing = false;
  #closed = false;

  constructor(options: AuditQueueOptions) {
    this.#options = options;
    this.#limit = options.maxQueuedBytes ?? MAX_QUEUED_AUDIT_BYTES;
  }

  /** Whether a request may begin; if not, it has to ask {@link admit}. */
  get hasRoom(): boolean {
    return this.#isBelowLimit && this.#waiters.size === 0;
  }

  get #isBelowLimit(): boolean {
    return this.#unwrittenBytes + (this.#open?.length ?? 0) < this.#limit;
  }

  /**
   * Begins a request, at once or when there is room, in the order of the calls; or refuses it, if
   * that takes too long. A refused request did nothing.
   */
  admit(run: () => void, refuse: (error: RpcError) => void): void {
    if (this.hasRoom) {
      run();
      return;
    }
    const { clock, metrics, timeoutMillis } = this.#options;
    const giveUp = (): void => {
      metrics.refusals.inc();
      refuse(new AuditRefusal(GrpcCode.Unavailable, 'etcdkit: the audit log cannot be written'));
    };
    if (this.#waiters.size >= MAX_AUDIT_WAITS) {
      giveUp();
      return;
    }
    metrics.waits.inc();
    const timer = clock.setTimer(timeoutMillis, () => {
      this.#waiters.delete(waiter);
      giveUp();
    });
    const waiter: Waiter = { run, refuse, timer };
    this.#waiters.add(waiter);
  }

  /**
   * A chunk with room for a record that takes so many bytes, which must be added at once. The
   * request was admitted, so there is room; only after {@link close} there is none.
   */
  room(bytes: number): RecordChunk | undefined {
    const open = this.#open;
    return open?.fits(bytes) ? open : this.#nextChunk(bytes);
  }

  /** Writes what is queued, or fails to once more, and closes the sink. */
  async close(): Promise<void> {
    this.#closing = true;
    const { code, message } = etcdError('Stopped');
    for (const { refuse, timer } of this.#waiters) {
      timer.cancel();
      refuse(new AuditRefusal(code, message));
    }
    this.#waiters.clear();
    this.#retry?.();
    do {
      this.#handOver();
      await this.#draining;
    } while (this.#open !== undefined || this.#draining !== undefined);
    this.#closed = true;
    await this.#options.sink.close();
  }

  #nextChunk(bytes: number): RecordChunk | undefined {
    if (this.#closed) {
      this.#lose(1);
      return undefined;
    }
    this.#handOver();
    const isUsual = bytes <= USUAL_RECORD_BYTES;
    const chunk = (isUsual ? this.#free.pop() : undefined) ?? new RecordChunk(bytes);
    const now = this.#options.clock.monotonicMillis();
    chunk.reset(now, now + this.#wallOffset(now));
    this.#open = chunk;
    this.#gathering = this.#options.clock.setTimer(GATHER_MILLIS, () => this.#handOver());
    return chunk;
  }

  /** Wall clock minus monotonic clock, ms. Within its granularity the difference stays the same, so that times don't go back. */
  #wallOffset(now: number): number {
    const offset = this.#options.clock.wallMillis() - now;
    if (!(Math.abs(offset - this.#offset) <= CLOCK_TOLERANCE_MILLIS)) this.#offset = offset;
    return this.#offset;
  }

  /** The open chunk gets no more records. */
  #handOver(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    if (this.#open !== undefined) {
      this.#full.push(this.#open);
      this.#count(this.#open.length);
      this.#open = undefined;
    }
    if (this.#full.length === 0) return;
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
      if (this.#full.length > 0) this.#handOver();
    });
  }

  async #drain(): Promise<void> {
    while (this.#full.length > 0) {
      const chunks = this.#full.splice(0, MAX_BATCH_CHUNKS);
      await this.#writeAll(chunks);
      for (const chunk of chunks) {
        this.#count(-chunk.length);
        if (chunk.isUsual && this.#free.length < MAX_FREE_CHUNKS) this.#free.push(chunk);
      }
      this.#letIn();
    }
  }

  /** Writes until all is written; only at the end of the server some may be left. */
  async #writeAll(chunks: readonly RecordChunk[]): Promise<void> {
    const { sink, logger, metrics } = this.#options;
    const contents = chunks.map((chunk) => chunk.close());
    const records = chunks.reduce((sum, chunk) => sum + chunk.records, 0);
    let failed = false;
    let next = 0;
    while (next < records) {
      const progress = await sink.write(contents, next);
      metrics.lines.inc(progress.records - next);
      next = progress.records;
      if (progress.failure === undefined) {
        if (failed) logger.info('the audit log can be written again');
        return;
      }
      metrics.writeFailures.inc();
      if (!failed) logger.error('failed to write to the audit log', { error: progress.failure });
      failed = true;
      if (this.#closing) {
        this.#lose(records - next);
        return;
      }
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(RETRY_MILLIS, resolve);
      this.#retry = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #letIn(): void {
    for (const waiter of this.#waiters) {
      if (!this.#isBelowLimit) return;
      this.#waiters.delete(waiter);
      waiter.timer.cancel();
      waiter.run();
    }
  }

  #count(bytes: number): void {
    this.#unwrittenBytes += bytes;
    this.#options.metrics.queuedBytes.set(this.#unwrittenBytes);
  }

  #lose(lines: number): void {
    this.#options.metrics.lostLines.inc(lines);
    this.#options.logger.error('lines of the audit log are lost', { lines });
  }
}
