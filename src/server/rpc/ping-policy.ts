/** Strikes that are forgiven; one more closes the connection. */
const MAX_PING_STRIKES = 2;

/** Shortest allowed gap between pings on a connection without calls: two hours. */
const IDLE_PING_GAP_MILLIS = 2 * 3600 * 1000;

/**
 * Counts the keep-alive pings of one connection that come too soon (reference: server 8,
 * keep-alive enforcement). Times are milliseconds on one monotonic clock.
 */
export class PingPolicy {
  readonly #minGapMillis: number;
  #lastPing = Number.NEGATIVE_INFINITY;
  #strikes = 0;
  #forgiven = false;

  /** @param minGapMillis shortest allowed gap between pings while calls are open */
  constructor(minGapMillis: number) {
    this.#minGapMillis = minGapMillis;
  }

  /** The server sent data or headers: the strikes so far, and the next ping, do not count. */
  forgive(): void {
    this.#forgiven = true;
  }

  /** Takes note of a ping. False: the connection must be closed with `too_many_pings`. */
  allow(nowMillis: number, openCalls: number): boolean {
    const gap = nowMillis - this.#lastPing;
    this.#lastPing = nowMillis;
    if (this.#forgiven) {
      this.#forgiven = false;
      this.#strikes = 0;
      return true;
    }
    const minimum = openCalls > 0 ? this.#minGapMillis : IDLE_PING_GAP_MILLIS;
    if (gap < minimum) this.#strikes += 1;
    return this.#strikes <= MAX_PING_STRIKES;
  }
}
