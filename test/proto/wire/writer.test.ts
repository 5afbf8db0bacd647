import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BinaryReader } from '../../../src/proto/wire/reader.js';
import {
  bigintVarintSize,
  varintSize,
  writeBigintVarint,
  writeVarint,
} from '../../../src/proto/wire/varint.js';
import { BinaryWriter } from '../../../src/proto/wire/writer.js';
import { int64, signedNumber, uint64 } from '../support/arbitraries.js';

const ROOM = 12;

describe('varints', () => {
  it('of numbers have the size announced and read back', () => {
    fc.assert(
      fc.property(signedNumber, (value) => {
        const buffer = Buffer.alloc(ROOM, 0xaa);
        const end = writeVarint(buffer, 1, value);
        expect(end - 1).toBe(varintSize(value));
        expect(buffer[end]).toBe(0xaa);
        expect(new BinaryReader(buffer.subarray(1, end)).int64Safe()).toBe(value);
        const other = Buffer.alloc(ROOM, 0xaa);
        expect(writeBigintVarint(other, 1, BigInt(value))).toBe(end);
        expect(other).toEqual(buffer);
      }),
      { numRuns: 1000 },
    );
  });

  it('of bigints have the size announced and read back', () => {
    fc.assert(
      fc.property(int64, uint64, fc.nat(63), (signed, unsigned, shift) => {
        for (const value of [unsigned, unsigned >> BigInt(shift)]) {
          const buffer = Buffer.alloc(ROOM);
          const end = writeBigintVarint(buffer, 0, value);
          expect(end).toBe(bigintVarintSize(value));
          expect(new BinaryReader(buffer.subarray(0, end)).uint64()).toBe(value);
        }
        const buffer = Buffer.alloc(ROOM);
        const end = writeBigintVarint(buffer, 0, signed);
        expect(end).toBe(bigintVarintSize(signed));
        expect(new BinaryReader(buffer.subarray(0, end)).int64()).toBe(signed);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuse what does not fit', () => {
    const buffer = Buffer.alloc(ROOM);
    expect(() => writeVarint(buffer, 0, 2 ** 53)).toThrow(RangeError);
    expect(() => writeVarint(buffer, 0, 1.5)).toThrow(RangeError);
    expect(() => writeVarint(buffer, 0, Number.NaN)).toThrow(RangeError);
    expect(() => writeBigintVarint(buffer, 0, 1n << 64n)).toThrow(RangeError);
    expect(() => bigintVarintSize(-(1n << 63n) - 1n)).toThrow(RangeError);
  });
});

describe('BinaryWriter', () => {
  it('writes the length of a part behind any content', () => {
    for (const length of [0, 1, 126, 127, 128, 200, 16_383, 16_384, 70_000]) {
      const content = Buffer.alloc(length, 7);
      const outer = new BinaryWriter().uint32(10).fork().uint32(18).fork();
      for (const byte of content) {
        outer.uint32(byte);
      }
      const written = outer.join().join().uint32(99).finish();
      const reader = new BinaryReader(written);
      expect(reader.tag()).toBe(10);
      const inner = new BinaryReader(reader.bytes());
      expect(inner.tag()).toBe(18);
      expect(inner.bytes().equals(content)).toBe(true);
      expect(inner.pos).toBe(inner.len);
      expect(reader.uint32()).toBe(99);
      expect(reader.pos).toBe(written.length);
    }
    expect(() => new BinaryWriter().join()).toThrow(RangeError);
  });

  it('checks the range of integers', () => {
    expect(new BinaryWriter().int64(-1).finish().toString('hex')).toBe('ffffffffffffffffff01');
    expect(() => new BinaryWriter().int64(1n << 63n)).toThrow(RangeError);
    expect(() => new BinaryWriter().uint64(-1n)).toThrow(RangeError);
    expect(() => new BinaryWriter().uint64(-1)).toThrow(RangeError);
    expect(() => new BinaryWriter().uint64(1n << 64n)).toThrow(RangeError);
    const largest = new BinaryWriter().uint64((1n << 64n) - 1n).finish();
    expect(largest.toString('hex')).toBe('ffffffffffffffffff01');
  });

  it('writes text as UTF-8', () => {
    expect(new BinaryWriter().string('日本').finish().toString('hex')).toBe('06e697a5e69cac');
    const long = 'ä'.repeat(1000);
    expect(new BinaryReader(new BinaryWriter().string(long).finish()).string()).toBe(long);
  });
});
