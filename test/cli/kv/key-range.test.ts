import { describe, expect, it } from 'vitest';
import { prefixEnd } from '../../../src/base/key-range.js';
import { keyRange } from '../../../src/cli/kv/key-range.js';

const NONE = { prefix: false, 'from-key': false };

describe('the end of a prefix', () => {
  it.each([
    ['61', '62'],
    ['61ff', '62'],
    ['61fe', '61ff'],
    ['ffff', '00'],
    ['', '00'],
  ])('of %s is %s', (prefix, end) => {
    expect(prefixEnd(Buffer.from(prefix, 'hex')).toString('hex')).toBe(end);
  });
});

describe('a key range', () => {
  it.each([
    ['a', undefined, NONE, '61', ''],
    ['a', 'c', NONE, '61', '63'],
    ['', undefined, NONE, '', ''],
    ['a', undefined, { ...NONE, prefix: true }, '61', '62'],
    ['', undefined, { ...NONE, prefix: true }, '00', '00'],
    ['a', undefined, { ...NONE, 'from-key': true }, '61', '00'],
    ['', undefined, { ...NONE, 'from-key': true }, '00', '00'],
  ])('of %j to %j under %j', (key, end, flags, from, to) => {
    const range = keyRange(key, end, flags);
    expect([range.key.toString('hex'), range.rangeEnd.toString('hex')]).toEqual([from, to]);
  });
});
