import type { Clock } from '../../platform/clock.js';

/**
 * The monotonic clock, read once for all that happens together: a reading holds until the promise
 * jobs that wait now have run. Requests that came in one piece begin together, and answers that
 * will leave in one piece end together; to read the clock for each of them would cost more than all
 * the rest of their lines.
 */
export class BatchClock {
  readonly #clock: Pick<Clock, 'monotonicMillis'>;
  #now = 0;
  #holds = false;
  readonly #forget = (): void => {
    this.#holds = false;
  };

  constructor(clock: Pick<Clock, 'monotonicMillis'>) {
    this.#clock = clock;
  }

  monotonicMillis(): number {
    if (this.#holds) return this.#now;
    this.#now = this.#clock.monotonicMillis();
    this.#holds = true;
    queueMicrotask(this.#forget);
    return this.#now;
  }
}
