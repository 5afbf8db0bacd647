import type { Clock, Timer } from '../../src/platform/clock.js';
import { nodeClock } from '../../src/platform/node-clock.js';

/** The clock of the process, which knows the timers that are left. */
export class CountedClock implements Clock {
  readonly #open = new Set<Timer>();

  /** Timers that were neither cancelled nor over. */
  get openTimers(): number {
    return this.#open.size;
  }

  monotonicMillis(): number {
    return nodeClock.monotonicMillis();
  }

  wallMillis(): number {
    return nodeClock.wallMillis();
  }

  defer(callback: () => void): void {
    nodeClock.defer(callback);
  }

  setTimer(delayMillis: number, callback: () => void): Timer {
    const timer = this.#counted(
      nodeClock.setTimer(delayMillis, () => {
        this.#open.delete(timer);
        callback();
      }),
    );
    return timer;
  }

  setPeriodic(intervalMillis: number, callback: () => void): Timer {
    return this.#counted(nodeClock.setPeriodic(intervalMillis, callback));
  }

  #counted(inner: Timer): Timer {
    const timer: Timer = {
      cancel: () => {
        this.#open.delete(timer);
        inner.cancel();
      },
    };
    this.#open.add(timer);
    return timer;
  }
}
