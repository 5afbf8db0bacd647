/** A pending timer that its owner may cancel. */
export interface Timer {
  /** Stops the timer; calling it again, or after it fired, does nothing. */
  cancel(): void;
}

/** Time and timers, passed in so that tests and the simulator own them. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. Never used for durations. */
  wallMillis(): number;
  /** Monotonic clock, milliseconds with a fraction, from an arbitrary origin. */
  monotonicMillis(): number;
  /** Runs `callback` once after `delayMillis` (>= 0). */
  setTimer(delayMillis: number, callback: () => void): Timer;
  /**
   * Runs `callback` once, after the events that wait now: what arrives in one turn of the event
   * loop can so be handled together.
   */
  defer(callback: () => void): void;
  /** Runs `callback` every `intervalMillis` (> 0) until cancelled. */
  setPeriodic(intervalMillis: number, callback: () => void): Timer;
}
