import type { Clock } from '../../platform/clock.js';

/** Time that one turn of the event loop spends on long work, ms: other requests wait no longer. */
const TURN_MILLIS = 4;
/** While requests wait, they get so many times as much of the event loop. */
const SHARE_OF_OTHERS = 5;
/** A turn in which nobody did anything takes less, ms: those requests wait for the disk. */
const IDLE_MILLIS = 0.2;
/** Turns of others in a row, at most. */
const MAX_TURNS = 64;

export interface TurnsParts {
  readonly clock: Pick<Clock, 'defer' | 'monotonicMillis'>;
  /** Writes that wait to be applied; absent: others get one turn, whatever they have to do. */
  readonly pendingRequests?: number;
}

/** Lets others have their turns once ours has lasted long enough. */
export class Turns {
  readonly #parts: TurnsParts;
  readonly #clock: TurnsParts['clock'];
  #started: number;

  constructor(parts: TurnsParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#started = parts.clock.monotonicMillis();
  }

  async yield(): Promise<void> {
    const ours = this.#clock.monotonicMillis() - this.#started;
    if (ours < TURN_MILLIS) return;
    let others = 0;
    for (let turn = 0; turn < MAX_TURNS && others < ours * SHARE_OF_OTHERS; turn++) {
      const before = this.#clock.monotonicMillis();
      await new Promise<void>((resolve) => this.#clock.defer(resolve));
      const millis = this.#clock.monotonicMillis() - before;
      others += millis;
      if (millis < IDLE_MILLIS || (this.#parts.pendingRequests ?? 0) === 0) break;
    }
    this.#started = this.#clock.monotonicMillis();
  }
}
