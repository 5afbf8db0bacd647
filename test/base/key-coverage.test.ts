import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverage, sharedPrefixLength } from '../../src/base/key-coverage.js';
import { type KeyRange, KeyRangeSet } from '../../src/base/key-range-set.js';

const range = (key: string, rangeEnd = ''): KeyRange => ({ key, rangeEnd });

const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 });
const anyRange = fc.record({ key, rangeEnd: fc.oneof(key, fc.constantFrom('', '\0')) });

describe('coverage', () => {
  it('names the one range that covers all', () => {
    const granted = [range('a', 'c'), range('b'), range('b', '\0')];
    expect(coverage(granted, range('b'))).toEqual({ isCovered: true, ranges: [granted[0]] });
    expect(coverage(granted, range('x', 'z'))).toEqual({ isCovered: true, ranges: [granted[2]] });
  });

  it('names the ranges that cover all together', () => {
    const granted = [range('a', 'c'), range('c', 'e'), range('x')];
    expect(coverage(granted, range('b', 'd'))).toEqual({
      isCovered: true,
      ranges: [granted[0], granted[1]],
    });
  });

  it('names the ranges that cover a part', () => {
    const granted = [range('a', 'c'), range('d'), range('e', 'g')];
    expect(coverage(granted, range('b', 'e'))).toEqual({
      isCovered: false,
      ranges: [granted[0], granted[1]],
    });
    expect(coverage(granted, range('c', 'd'))).toEqual({ isCovered: false, ranges: [] });
    expect(coverage(granted, range('f', '\0'))).toEqual({ isCovered: false, ranges: [granted[2]] });
  });

  it('answers as the set of ranges does, and needs no more than the ranges it names', () => {
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 6 }), anyRange, (granted, wanted) => {
        const covers = (ranges: readonly KeyRange[]): boolean =>
          new KeyRangeSet(ranges).covers(wanted.key, wanted.rangeEnd);
        const isEmpty =
          wanted.rangeEnd !== '' && wanted.rangeEnd !== '\0' && wanted.rangeEnd <= wanted.key;
        const found = coverage(granted, wanted);
        expect(found.isCovered).toBe(covers(granted));
        if (found.isCovered && !isEmpty) expect(covers(found.ranges)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

it.each([
  ['', '', 0],
  ['abc', 'abd', 2],
  ['ab', 'abc', 2],
  ['abc', 'ab', 2],
  ['x', 'y', 0],
])('%j and %j share %d characters', (one, other, length) => {
  expect(sharedPrefixLength(one, other)).toBe(length);
});
