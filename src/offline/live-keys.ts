import { KeyHash } from './key-hash.js';

const FIRST_CAPACITY = 1024;
/** A table that is fuller than this is doubled. */
const MAX_LOAD = 0.7;
const State = { empty: 0, live: 1, dead: 2 } as const;

/**
 * Counts keys that are put and deleted in any order, in 9 bytes a slot: a file of many millions of
 * keys is counted in less memory than a fraction of its keys would take. Keys are told apart by
 * a {@link KeyHash}.
 */
export class LiveKeys {
  #capacity = FIRST_CAPACITY;
  #high = new Uint32Array(FIRST_CAPACITY);
  #low = new Uint32Array(FIRST_CAPACITY);
  #states = new Uint8Array(FIRST_CAPACITY);
  readonly #hash = new KeyHash();
  #used = 0;
  #live = 0;

  /** Keys whose last change was a put. */
  get count(): number {
    return this.#live;
  }

  put(key: Uint8Array): void {
    this.#set(key, State.live);
  }

  delete(key: Uint8Array): void {
    this.#set(key, State.dead);
  }

  #set(key: Uint8Array, state: number): void {
    this.#hash.update(key);
    const { high, low } = this.#hash;
    const slot = this.#slotOf(high, low);
    const before = this.#states[slot];
    if (before === State.live) this.#live--;
    if (state === State.live) this.#live++;
    this.#states[slot] = state;
    if (before !== State.empty) return;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#used++;
    if (this.#used > this.#capacity * MAX_LOAD) this.#grow();
  }

  /** The slot of the key, or the empty one where it belongs. */
  #slotOf(high: number, low: number): number {
    const mask = this.#capacity - 1;
    let slot = low & mask;
    while (
      this.#states[slot] !== State.empty &&
      (this.#high[slot] !== high || this.#low[slot] !== low)
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const [high, low, states] = [this.#high, this.#low, this.#states];
    this.#capacity *= 2;
    this.#high = new Uint32Array(this.#capacity);
    this.#low = new Uint32Array(this.#capacity);
    this.#states = new Uint8Array(this.#capacity);
    for (let index = 0; index < states.length; index++) {
      const state = states[index] as number;
      if (state === State.empty) continue;
      const slot = this.#slotOf(high[index] as number, low[index] as number);
      this.#high[slot] = high[index] as number;
      this.#low[slot] = low[index] as number;
      this.#states[slot] = state;
    }
  }
}
