import type { Clock, Timer } from '../../platform/clock.js';

/** When a batch is committed without being asked to. */
export interface BatchLimits {
  /** Milliseconds from the first write of a batch to its commit; default 100. */
  readonly batchIntervalMillis?: number;
  /** Writes after which a batch is committed at the end of the turn; default 10,000. */
  readonly batchLimit?: number;
}

/** etcd's defaults of --backend-batch-interval and --backend-batch-limit. */
export const DEFAULT_BATCH_INTERVAL_MILLIS = 100;
export const DEFAULT_BATCH_LIMIT = 10_000;

/**
 * Decides when a batch of writes is due. It always fires from a timer, never within a write, so
 * that what one turn of the event loop wrote stays in one batch.
 */
export class BatchTimer {
  readonly #clock: Clock;
  readonly #intervalMillis: number;
  readonly #limit: number;
  readonly #onDue: () => void;
  #timer: Timer | undefined;
  #writes = 0;

  constructor(clock: Clock, limits: BatchLimits, onDue: () => void) {
    this.#clock = clock;
    // Zero means "the default", as in etcd's configuration.
    this.#intervalMillis = limits.batchIntervalMillis || DEFAULT_BATCH_INTERVAL_MILLIS;
    this.#limit = limits.batchLimit || DEFAULT_BATCH_LIMIT;
    this.#onDue = onDue;
  }

  /** Counts one write. */
  noteWrite(): void {
    this.#writes++;
    if (this.#writes === this.#limit) {
      this.hurry();
    } else if (this.#timer === undefined) {
      this.#timer = this.#clock.setTimer(this.#intervalMillis, this.#onDue);
    }
  }

  /** Makes the batch due at the end of the turn. */
  hurry(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(0, this.#onDue);
  }

  /** Starts counting anew: the batch was sealed, or the backend closes. */
  reset(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writes = 0;
  }
}
