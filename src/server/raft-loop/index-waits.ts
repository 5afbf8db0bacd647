import type { Clock, Timer } from '../../platform/clock.js';

interface IndexWait {
  readonly index: number;
  readonly timer: Timer | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How long a wait may last, ms, and how it ends then. */
export interface WaitLimit {
  readonly timeoutMillis: number;
  readonly timeoutError: () => Error;
}

/** Those who wait until an index of the log is reached. */
export class IndexWaits {
  readonly #clock: Pick<Clock, 'setTimer'>;
  readonly #waits = new Set<IndexWait>();
  #closed: { readonly error: unknown } | undefined;

  constructor(clock: Pick<Clock, 'setTimer'>) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waits.size;
  }

  wait(index: number, limit?: WaitLimit): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error);
    return new Promise((resolve, reject) => {
      const timer =
        limit &&
        this.#clock.setTimer(limit.timeoutMillis, () => {
          this.#waits.delete(wait);
          reject(limit.timeoutError());
        });
      const wait: IndexWait = { index, timer, resolve, reject };
      this.#waits.add(wait);
    });
  }

  /** Wakes all who wait for `index` or less. */
  wake(index: number): void {
    for (const wait of this.#waits) {
      if (wait.index > index) continue;
      this.#waits.delete(wait);
      wait.timer?.cancel();
      wait.resolve();
    }
  }

  /** Ends all waits, now and later. */
  close(error: unknown): void {
    this.#closed ??= { error };
    const waits = [...this.#waits];
    this.#waits.clear();
    for (const { timer, reject } of waits) {
      timer?.cancel();
      reject(error);
    }
  }
}
