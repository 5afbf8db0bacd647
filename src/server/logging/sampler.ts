import type { LogLevel } from '../../base/logger.js';

/** Lines of one level and message that pass in a second. */
const FIRST = 100;
/** Of what follows, every so many-th line passes. */
const THEREAFTER = 100;
const TICK_MILLIS = 1000;
/** Distinct messages that are counted in a second; more of them pass uncounted. */
const MAX_MESSAGES = 4096;

/** Thins out lines that repeat (reference: server 3.1, sampling). */
export class LogSampler {
  readonly #counts = new Map<string, number>();
  #tickEnds = Number.NEGATIVE_INFINITY;

  /** True if the line is to be written. */
  admit(level: LogLevel, message: string, nowMillis: number): boolean {
    // The clock may be set back, too.
    if (nowMillis >= this.#tickEnds || nowMillis < this.#tickEnds - TICK_MILLIS) {
      this.#tickEnds = nowMillis + TICK_MILLIS;
      this.#counts.clear();
    }
    const key = `${level} ${message}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (count === 1 && this.#counts.size >= MAX_MESSAGES) return true;
    this.#counts.set(key, count);
    return count <= FIRST || (count - FIRST) % THEREAFTER === 0;
  }
}
