import type { Clock } from '../../platform/clock.js';

/** Least time between two log lines about messages for which there was no room. */
const DROP_LOG_MILLIS = 1000;

/** Counts dropped messages, so that a flood of them does not become one of log lines. */
export class DropLog {
  readonly #clock: Pick<Clock, 'monotonicMillis'>;
  #lastMillis = Number.NEGATIVE_INFINITY;
  /** Since the last log line. */
  #drops = 0;

  constructor(clock: Pick<Clock, 'monotonicMillis'>) {
    this.#clock = clock;
  }

  /** Counts a drop. Returns how many there are to be logged now; 0: not yet. */
  count(): number {
    this.#drops++;
    const now = this.#clock.monotonicMillis();
    if (now - this.#lastMillis < DROP_LOG_MILLIS) return 0;
    this.#lastMillis = now;
    const drops = this.#drops;
    this.#drops = 0;
    return drops;
  }
}
