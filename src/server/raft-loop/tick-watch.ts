/** Ticks that may be missed before what was known of the leadership is in doubt. */
const MISSED_TICKS = 3;

/**
 * Notices that the process stood still: others may have elected a leader meanwhile, and how long it
 * was cannot be told from the last tick alone, for that comes before the messages that tell of it.
 */
export class TickWatch {
  readonly #patienceMillis: number;
  #lastMillis: number;
  /** When it was last noticed that a tick came late. */
  #resumedMillis: number;

  constructor(tickMillis: number, nowMillis: number) {
    this.#patienceMillis = MISSED_TICKS * tickMillis;
    this.#lastMillis = nowMillis;
    this.#resumedMillis = nowMillis;
  }

  tick(nowMillis: number): void {
    if (nowMillis - this.#lastMillis > this.#patienceMillis) this.#resumedMillis = nowMillis;
    this.#lastMillis = nowMillis;
  }

  /** Whether time passed without a standstill from `sinceMillis` until now, monotonic ms. */
  wasSteady(sinceMillis: number, nowMillis: number): boolean {
    return (
      this.#resumedMillis < sinceMillis && nowMillis - this.#lastMillis <= this.#patienceMillis
    );
  }
}
