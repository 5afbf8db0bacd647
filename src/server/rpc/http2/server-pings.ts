import type { Clock, Timer } from '../../../platform/clock.js';

/** Longest delay that a Node timer takes, milliseconds. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1;

export interface ServerPingsOptions {
  readonly clock: Clock;
  /** Silence after which we ask whether the client is still there, ms; 0: never. */
  readonly intervalMillis: number;
  /** How long the answer may take, ms; 0: we never ask. */
  readonly timeoutMillis: number;
  readonly sendPing: () => void;
  readonly onDead: () => void;
}

/** Finds out whether the client of a silent connection is still there (reference: server 8). */
export class ServerPings {
  readonly #options: ServerPingsOptions;
  #lastRead: number;
  #isWaiting = false;
  #timer: Timer | undefined;

  constructor(options: ServerPingsOptions) {
    this.#options = options;
    const { clock, intervalMillis, timeoutMillis } = options;
    this.#lastRead = clock.monotonicMillis();
    if (intervalMillis > 0 && timeoutMillis > 0) this.#wait(intervalMillis);
  }

  /** Something came from the client. */
  heard(): void {
    if (this.#timer === undefined) return;
    this.#lastRead = this.#options.clock.monotonicMillis();
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#timer.cancel();
    this.#wait(this.#options.intervalMillis);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(delayMillis: number): void {
    const delay = Math.min(delayMillis, MAX_TIMER_MILLIS);
    this.#timer = this.#options.clock.setTimer(delay, () => this.#look());
  }

  #look(): void {
    const { clock, intervalMillis, timeoutMillis, sendPing, onDead } = this.#options;
    if (this.#isWaiting) {
      onDead();
      return;
    }
    const rest = this.#lastRead + intervalMillis - clock.monotonicMillis();
    if (rest > 0) {
      this.#wait(rest);
      return;
    }
    this.#isWaiting = true;
    this.#wait(timeoutMillis);
    sendPing();
  }
}
