import type { KeyText } from './bytes.js';
import { FROM_KEY, ONE_KEY, type RangeEnd } from './key-range.js';

/** A key with a range end as requests carry it. */
export interface KeyRange {
  readonly key: KeyText;
  readonly rangeEnd: RangeEnd;
}

/** The key that comes right after `key`. */
function successor(key: KeyText): KeyText {
  return `${key}\0`;
}

/** The end of a range; undefined: none. */
function endOf({ key, rangeEnd }: KeyRange): KeyText | undefined {
  if (rangeEnd === ONE_KEY) return successor(key);
  return rangeEnd === FROM_KEY ? undefined : rangeEnd;
}

/**
 * A set of keys made of ranges: merged once into disjoint intervals, so that a check is one binary
 * search. Ranges that touch become one: `[a,c)` and `[c,e)` cover `[b,d)` (reference: semantics 7.1).
 */
export class KeyRangeSet {
  readonly #starts: KeyText[] = [];
  /** The exclusive end of each interval; the last one's is undefined if it has none. */
  readonly #ends: (KeyText | undefined)[] = [];

  constructor(ranges: Iterable<KeyRange>) {
    const sorted = [...ranges].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (const range of sorted) this.#append(range.key, endOf(range));
  }

  /**
   * Whether every key of the range is in the set.
   * Trap: a range whose end is not above its key holds no key; for etcd the right to it is the right
   * to its first key.
   */
  covers(key: KeyText, rangeEnd: RangeEnd): boolean {
    const position = this.#lastStartAtOrBelow(key);
    if (position < 0) return false;
    const limit = this.#ends[position];
    if (limit === undefined) return true;
    const end = endOf({ key, rangeEnd });
    return end !== undefined && end <= limit && key < limit;
  }

  /** Ranges come in the order of their keys. */
  #append(start: KeyText, end: KeyText | undefined): void {
    if (end !== undefined && end <= start) return;
    const last = this.#starts.length - 1;
    if (last >= 0) {
      const limit = this.#ends[last];
      if (limit === undefined) return;
      if (start <= limit) {
        if (end === undefined || end > limit) this.#ends[last] = end;
        return;
      }
    }
    this.#starts.push(start);
    this.#ends.push(end);
  }

  #lastStartAtOrBelow(key: KeyText): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as KeyText) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
