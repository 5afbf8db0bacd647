import type { KeyText } from './bytes.js';
import { FROM_KEY, ONE_KEY } from './key-range.js';
import { type KeyRange, KeyRangeSet } from './key-range-set.js';

/** Whether ranges together cover a wanted one, and which of them count. */
export interface Coverage<Range extends KeyRange> {
  readonly isCovered: boolean;
  /**
   * If covered: the one range that does it alone, or those that do it together. If not: those that
   * cover a part.
   */
  readonly ranges: readonly Range[];
}

/**
 * Explains a decision of {@link KeyRangeSet}: the same answer, slower, with the ranges that it rests
 * on.
 */
export function coverage<Range extends KeyRange>(
  granted: readonly Range[],
  wanted: KeyRange,
): Coverage<Range> {
  const covers = (ranges: readonly Range[]): boolean =>
    new KeyRangeSet(ranges).covers(wanted.key, wanted.rangeEnd);
  const isCovered = covers(granted);
  const whole = isCovered ? granted.find((range) => covers([range])) : undefined;
  const ranges = whole === undefined ? granted.filter((range) => overlap(range, wanted)) : [whole];
  return { isCovered, ranges };
}

function overlap(one: KeyRange, other: KeyRange): boolean {
  return endsAfter(one, other.key) && endsAfter(other, one.key);
}

function endsAfter({ key: start, rangeEnd }: KeyRange, key: KeyText): boolean {
  if (rangeEnd === ONE_KEY) return start >= key;
  return rangeEnd === FROM_KEY || rangeEnd > key;
}

/** How many characters two keys have in common at their beginnings. */
export function sharedPrefixLength(one: KeyText, other: KeyText): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}
