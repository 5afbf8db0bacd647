import type { Clock } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';

/** Wrong passwords in a row before attempts have to wait. */
export const FREE_FAILURES = 10;
/** Time between two attempts after the first failure too many, ms; each further one doubles it. */
export const FIRST_DELAY_MILLIS = 125;
export const LONGEST_DELAY_MILLIS = 1000;
/** An attempt that would have to wait longer than this is refused at once, ms. */
const LONGEST_WAIT_MILLIS = 5000;
/** Failures are forgotten when none came for so long, ms. */
export const FORGET_MILLIS = 10 * 60 * 1000;
/** Sources of failed log-ins that are remembered; beyond that the oldest is forgotten. */
export const MAX_SOURCES = 10_000;

interface Source {
  failures: number;
  lastFailureMillis: number;
  /** When the next attempt may go ahead, monotonic ms. */
  nextMillis: number;
}

/**
 * Makes guessing slow: who keeps giving wrong passwords for one user from one address may try but
 * once a second. Others, the same user from elsewhere among them, notice nothing.
 */
export class LoginLimiter {
  readonly #clock: Pick<Clock, 'monotonicMillis' | 'setTimer'>;
  /** The one whose last failure is longest ago first. */
  readonly #sources = new Map<string, Source>();

  constructor(clock: Pick<Clock, 'monotonicMillis' | 'setTimer'>) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#sources.size;
  }

  /**
   * Resolves when the attempt may go ahead.
   * @param source who tries: address and user name
   * @returns to be called right before the password is checked: throws RequestTooManyRequests if the
   *   free attempts were used up meanwhile by others that were admitted along with this one, so
   *   that many attempts at once get no further than many in a row
   * @throws EtcdError RequestTooManyRequests if too many wait already
   */
  async admit(source: string): Promise<() => void> {
    if (!this.#isSlowedDown(source)) {
      return () => {
        if (this.#isSlowedDown(source)) throw etcdError('RequestTooManyRequests');
      };
    }
    await this.#wait(source);
    return () => {};
  }

  #isSlowedDown(source: string): boolean {
    return (this.#sources.get(source)?.failures ?? 0) >= FREE_FAILURES;
  }

  async #wait(source: string): Promise<void> {
    const known = this.#sources.get(source);
    if (known === undefined) return;
    const now = this.#clock.monotonicMillis();
    const start = Math.max(now, known.nextMillis);
    if (start - now > LONGEST_WAIT_MILLIS) throw etcdError('RequestTooManyRequests');
    known.nextMillis = start + delayMillis(known.failures);
    if (start > now) {
      await new Promise<void>((resolve) => this.#clock.setTimer(start - now, resolve));
    }
  }

  noteFailure(source: string): void {
    const now = this.#clock.monotonicMillis();
    const known = this.#sources.get(source) ?? { failures: 0, lastFailureMillis: 0, nextMillis: 0 };
    this.#sources.delete(source);
    this.#forget(now);
    known.failures++;
    known.lastFailureMillis = now;
    if (known.failures >= FREE_FAILURES) {
      known.nextMillis = Math.max(known.nextMillis, now + delayMillis(known.failures));
    }
    this.#sources.set(source, known);
  }

  noteSuccess(source: string): void {
    this.#sources.delete(source);
  }

  #forget(now: number): void {
    for (const [source, { lastFailureMillis }] of this.#sources) {
      const isFresh = now - lastFailureMillis < FORGET_MILLIS;
      if (isFresh && this.#sources.size < MAX_SOURCES) return;
      this.#sources.delete(source);
    }
  }
}

function delayMillis(failures: number): number {
  const doublings = Math.max(0, failures - FREE_FAILURES);
  return Math.min(LONGEST_DELAY_MILLIS, FIRST_DELAY_MILLIS * 2 ** Math.min(doublings, 10));
}
