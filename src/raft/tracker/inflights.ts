import { RaftInvariantError } from '../errors.js';

/**
 * A sliding window over the MsgApps sent to a follower and not acknowledged: a ring of their last
 * indexes and payload sizes. It grows with use up to `capacity`.
 */
export class Inflights {
  readonly capacity: number;
  /** Bound on the payload bytes in flight; one message may cross it. Infinity is no bound. */
  readonly maxBytes: number;
  #start = 0;
  #count = 0;
  #bytes = 0;
  #indexes: number[] = [];
  #sizes: number[] = [];

  constructor(capacity: number, maxBytes: number) {
    this.capacity = capacity;
    this.maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.capacity || this.#bytes >= this.maxBytes;
  }

  /** A message that ends with the entry at `index` and carries `bytes` of payload was sent. */
  add(index: number, bytes: number): void {
    if (this.full) throw new RaftInvariantError('cannot add into a Full inflights');
    if (this.#count === this.#indexes.length) this.#grow();
    const position = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[position] = index;
    this.#sizes[position] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Frees the messages that end at or before `index`. */
  freeThrough(index: number): void {
    while (this.#count > 0) {
      const first = this.#indexes[this.#start] ?? 0;
      if (first > index) break;
      this.#bytes -= this.#sizes[this.#start] ?? 0;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
    if (this.#count === 0) this.#start = 0;
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const size = Math.min(this.capacity, Math.max(8, this.#indexes.length * 2));
    const unroll = (ring: readonly number[]): number[] => [
      ...ring.slice(this.#start),
      ...ring.slice(0, this.#start),
      ...new Array<number>(size - ring.length).fill(0),
    ];
    this.#indexes = unroll(this.#indexes);
    this.#sizes = unroll(this.#sizes);
    this.#start = 0;
  }
}
