import type { KeyText } from '../../../base/bytes.js';
import { lowerBound } from '../../../base/sorted-keys.js';

/** A set of keys given as half-open intervals, kept disjoint and sorted. */
export class KeyIntervals {
  #starts: KeyText[] = [];
  #ends: KeyText[] = [];

  /** Adds start <= key < end; nothing if that is empty. */
  add(start: KeyText, end: KeyText): void {
    if (end <= start) {
      return;
    }
    // The intervals from `first` to before `last` touch the new one and become one with it.
    const first = lowerBound(this.#ends, start);
    let last = first;
    let mergedStart = start;
    let mergedEnd = end;
    while (last < this.#starts.length && (this.#starts[last] as KeyText) <= end) {
      mergedStart = smaller(mergedStart, this.#starts[last] as KeyText);
      mergedEnd = larger(mergedEnd, this.#ends[last] as KeyText);
      last++;
    }
    this.#starts.splice(first, last - first, mergedStart);
    this.#ends.splice(first, last - first, mergedEnd);
  }

  addAll(other: KeyIntervals): void {
    for (let i = 0; i < other.#starts.length; i++) {
      this.add(other.#starts[i] as KeyText, other.#ends[i] as KeyText);
    }
  }

  has(key: KeyText): boolean {
    // The only interval that can hold the key is the first that ends above it.
    let position = lowerBound(this.#ends, key);
    if (this.#ends[position] === key) {
      position++;
    }
    const start = this.#starts[position];
    return start !== undefined && start <= key;
  }
}

function smaller(a: KeyText, b: KeyText): KeyText {
  return a < b ? a : b;
}

function larger(a: KeyText, b: KeyText): KeyText {
  return a > b ? a : b;
}
