import type { Clock, Timer } from './clock.js';

interface PendingTimer {
  due: number;
  /** Timers due at the same time fire in the order in which they were set. */
  order: number;
  readonly interval: number | undefined;
  readonly callback: () => void;
}

/** Where {@link ManualClock} starts unless told: 2024-01-01T00:00:00Z. */
const DEFAULT_WALL_START = Date.UTC(2024, 0, 1);

/** A clock that moves only when told, for tests and the simulator. */
export class ManualClock implements Clock {
  readonly #pending = new Set<PendingTimer>();
  #now = 0;
  #wallStart: number;
  #order = 0;

  /** `wallStart` is the wall time at the start, in milliseconds since the Unix epoch. */
  constructor(wallStart = DEFAULT_WALL_START) {
    this.#wallStart = wallStart;
  }

  wallMillis(): number {
    return this.#wallStart + Math.floor(this.#now);
  }

  monotonicMillis(): number {
    return this.#now;
  }

  setTimer(delayMillis: number, callback: () => void): Timer {
    return this.#add(Math.max(0, delayMillis), undefined, callback);
  }

  defer(callback: () => void): void {
    this.setTimer(0, callback);
  }

  setPeriodic(intervalMillis: number, callback: () => void): Timer {
    if (!(intervalMillis > 0)) throw new RangeError(`interval must be above 0: ${intervalMillis}`);
    return this.#add(intervalMillis, intervalMillis, callback);
  }

  /** Timers that are set and have neither fired for good nor been cancelled. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Monotonic time at which the next timer fires, or undefined if none is set. */
  get nextDue(): number | undefined {
    return this.#earliest(Number.POSITIVE_INFINITY)?.due;
  }

  /** Moves the wall clock alone by `millis`, which may be negative: a clock that was set. */
  skewWall(millis: number): void {
    this.#wallStart += millis;
  }

  /**
   * Moves time on by `millis` (>= 0) and fires what falls due, in order, each at its own time;
   * timers set by a callback fire too if they fall due within the same span.
   */
  advance(millis: number): void {
    const end = this.#now + millis;
    for (let timer = this.#earliest(end); timer; timer = this.#earliest(end)) {
      this.#now = Math.max(this.#now, timer.due);
      if (timer.interval === undefined) this.#pending.delete(timer);
      else {
        timer.due += timer.interval;
        timer.order = this.#order++;
      }
      timer.callback();
    }
    this.#now = end;
  }

  #add(delay: number, interval: number | undefined, callback: () => void): Timer {
    const timer = { due: this.#now + delay, order: this.#order++, interval, callback };
    this.#pending.add(timer);
    return { cancel: () => void this.#pending.delete(timer) };
  }

  #earliest(end: number): PendingTimer | undefined {
    let earliest: PendingTimer | undefined;
    for (const timer of this.#pending) {
      if (timer.due > end) continue;
      if (
        earliest === undefined ||
        timer.due < earliest.due ||
        (timer.due === earliest.due && timer.order < earliest.order)
      ) {
        earliest = timer;
      }
    }
    return earliest;
  }
}
