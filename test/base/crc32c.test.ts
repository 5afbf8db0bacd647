import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c, crc32cRange } from '../../src/base/crc32c.js';

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('crc32c', () => {
  it('has the check value of the polynomial', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it("gives the running values of etcd's own fixture", () => {
    const metadata = crc32c(Buffer.from('somedata'));
    expect(metadata).toBe(0x741f6a05);
    expect(crc32c(Buffer.from('08001000', 'hex'), metadata)).toBe(0x18206d80);
  });

  it('equals the bit by bit definition, continued over any split', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(), (bytes, at) => {
        const split = at % (bytes.length + 1);
        const whole = bitwise(bytes);
        expect(crc32c(bytes)).toBe(whole);
        expect(crc32c(bytes.subarray(split), crc32c(bytes.subarray(0, split)))).toBe(whole);
        expect(crc32cRange(bytes, split, bytes.length)).toBe(crc32c(bytes.subarray(split)));
      }),
    );
  });

  it('equals it for long stretches too, wherever they begin', () => {
    const bytes = Uint8Array.from(
      { length: 3000 },
      (_, index) => (index * index * 7 + index) >>> 3,
    );
    for (let start = 0; start < 9; start++) {
      for (const length of [1023, 1024, 1025, 1039, 1040, 2500]) {
        const expected = bitwise(bytes.subarray(start, start + length));
        expect(crc32cRange(bytes, start, start + length)).toBe(expected);
        expect(crc32cRange(bytes.subarray(start), 0, length)).toBe(expected);
        const split = crc32cRange(bytes, start, start + 5);
        expect(crc32cRange(bytes, start + 5, start + length, split)).toBe(expected);
      }
    }
  });
});
