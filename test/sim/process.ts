import type { Clock, Timer } from '../../src/platform/clock.js';
import type { Owner, Scheduler } from './scheduler.js';

/** Wall time at the beginning of a simulated world: 2024-01-01T00:00:00Z. */
const WALL_START = Date.UTC(2024, 0, 1);

/**
 * One life of a member's process: its clock, and whether it lives. What it had scheduled ends with
 * it. Its clock may run fast or slow, and its wall clock may be wrong.
 */
export class SimulatedProcess implements Owner, Clock {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #rate: number;
  #wallSkew: number;
  readonly #onDeath: (() => void)[] = [];
  #isDead = false;
  #pausedUntil = 0;

  /**
   * @param rate milliseconds of this clock in one of the world
   * @param wallSkew ms by which the wall clock is ahead
   */
  constructor(name: string, scheduler: Scheduler, rate: number, wallSkew: number) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#rate = rate;
    this.#wallSkew = wallSkew;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  /** Ends it between two events. */
  kill(): void {
    this.#isDead = true;
    for (const callback of this.#onDeath.splice(0)) callback();
  }

  /** Calls back when the process ends, as its connections do. */
  onDeath(callback: () => void): void {
    this.#onDeath.push(callback);
  }

  /** Stops it for a while, as SIGSTOP or a long garbage collection would. */
  pause(millis: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#scheduler.now + millis);
  }

  resume(): void {
    this.#pausedUntil = 0;
  }

  /** Sets the wall clock forward, or back. */
  setWall(millis: number): void {
    this.#wallSkew += millis;
  }

  wallMillis(): number {
    return WALL_START + Math.floor(this.monotonicMillis()) + this.#wallSkew;
  }

  monotonicMillis(): number {
    return this.#scheduler.now * this.#rate;
  }

  setTimer(delayMillis: number, callback: () => void): Timer {
    return this.#scheduler.schedule(delayMillis / this.#rate, this, callback);
  }

  defer(callback: () => void): void {
    this.#scheduler.schedule(0, this, callback);
  }

  setPeriodic(intervalMillis: number, callback: () => void): Timer {
    let timer: Timer;
    const fire = (): void => {
      timer = this.setTimer(intervalMillis, fire);
      callback();
    };
    timer = this.setTimer(intervalMillis, fire);
    return { cancel: () => timer.cancel() };
  }

  sleep(delayMillis: number): Promise<void> {
    return new Promise((resolve) => {
      this.setTimer(delayMillis, resolve);
    });
  }
}
