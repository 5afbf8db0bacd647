import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyRangeSet } from '../../src/base/key-range-set.js';

/** Random sets of permissions that are compared with the oracle. */
const RUNS = Number(process.env.ETCDKIT_AUTH_RUNS ?? 20_000);

const OPEN = '\0';
const set = (...ranges: [string, string][]) =>
  new KeyRangeSet(ranges.map(([key, rangeEnd]) => ({ key, rangeEnd })));

describe('KeyRangeSet', () => {
  it('leaves a gap open (A7)', () => {
    const keys = set(['a', 'c'], ['x', 'z']);
    expect(keys.covers('a', 'z')).toBe(false);
    expect(keys.covers('a', 'c')).toBe(true);
    expect(keys.covers('y', 'z')).toBe(true);
    expect(keys.covers('c', '')).toBe(false);
  });

  it('joins ranges that touch (A7)', () => {
    expect(set(['a', 'f'], ['c', 'd'], ['f', 'z']).covers('a', 'z')).toBe(true);
    const keys = set(['a', 'd'], ['a', 'b'], ['c', 'f']);
    expect(keys.covers('a', 'f')).toBe(true);
    expect(keys.covers('a', OPEN)).toBe(false);
    expect(keys.covers('d', '')).toBe(true);
    expect(keys.covers('f', '')).toBe(false);
  });

  it('reaches to the end of all keys where a range has none (A7)', () => {
    const keys = set([OPEN, OPEN]);
    expect(keys.covers('a', 'z')).toBe(true);
    expect(keys.covers('a', OPEN)).toBe(true);
    expect(keys.covers('ÿÿ', '')).toBe(true);
    expect(set(['b', OPEN]).covers('a', OPEN)).toBe(false);
  });

  it('takes one key for just that key', () => {
    const keys = set(['k', '']);
    expect(keys.covers('k', '')).toBe(true);
    expect(keys.covers('k\0', '')).toBe(false);
    expect(keys.covers('k', 'k\0')).toBe(true);
    expect(keys.covers('k', OPEN)).toBe(false);
    expect(set(['k', ''], ['k\0', 'l']).covers('k', 'l')).toBe(true);
  });

  it('covers nothing when it is empty', () => {
    expect(set().covers('a', '')).toBe(false);
    expect(set().covers(OPEN, OPEN)).toBe(false);
    expect(set(['b', 'a']).covers('b', '')).toBe(false);
  });

  it('takes a range that holds no key for its first key', () => {
    const keys = set(['a', 'c'], ['l', 'n']);
    expect(keys.covers('m', 'a')).toBe(true);
    expect(keys.covers('m', 'm')).toBe(true);
    expect(keys.covers('n', 'm')).toBe(false);
    expect(keys.covers('d', 'b')).toBe(false);
  });

  it(`agrees with a look at every key (${RUNS} sets)`, () => {
    // Keys of up to two of three letters, so that every possible key between them can be listed.
    const letters = ['\0', 'a', 'b'];
    const keys = letters.flatMap((first) => [
      first,
      ...letters.flatMap((second) => [
        first + second,
        ...letters.map((third) => first + second + third),
      ]),
    ]);
    const end = fc.oneof(fc.constantFrom('', OPEN), fc.constantFrom(...keys));
    const range = fc.record({ key: fc.constantFrom(...keys), rangeEnd: end });
    const holds = ({ key, rangeEnd }: { key: string; rangeEnd: string }, candidate: string) =>
      rangeEnd === ''
        ? candidate === key
        : key <= candidate && (rangeEnd === OPEN || candidate < rangeEnd);
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), range, (ranges, asked) => {
        const isEmpty =
          asked.rangeEnd !== '' && asked.rangeEnd !== OPEN && asked.rangeEnd <= asked.key;
        // Any gap begins at the asked key, at an end, or right after a single key; and an open range
        // needs something that is open itself.
        const candidates = [
          ...keys,
          ...keys.map((key) => `${key}\0`),
          ...(asked.rangeEnd === OPEN ? ['ÿ'.repeat(5)] : []),
        ].filter((candidate) => (isEmpty ? candidate === asked.key : holds(asked, candidate)));
        const expected = candidates.every((candidate) =>
          ranges.some((granted) => holds(granted, candidate)),
        );
        expect(new KeyRangeSet(ranges).covers(asked.key, asked.rangeEnd)).toBe(expected);
      }),
      { numRuns: RUNS },
    );
  });
});
