import fc from 'fast-check';
import { DecodeError } from '../../../src/proto/decode-error.js';

/** Safe integers, with those near the steps of the varint's size well represented. */
export const safeNumber = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc
    .tuple(fc.nat(53), fc.integer({ min: -1, max: 1 }))
    .map(([bits, step]) => Math.min(Math.max(2 ** bits + step, 0), Number.MAX_SAFE_INTEGER)),
);

/** Safe integers of either sign. */
export const signedNumber = fc.oneof(
  safeNumber,
  safeNumber.map((value) => -value || 0),
);

export const uint64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
export const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });

/** Bytes, at times long enough for a length of two varint bytes. */
export const bytes = fc
  .oneof(
    { weight: 4, arbitrary: fc.uint8Array({ maxLength: 20 }) },
    fc.uint8Array({ maxLength: 300 }),
  )
  .map((value) => Buffer.from(value));

/** Well-formed text of any script. */
export const text = fc.string({ unit: 'grapheme', maxLength: 20 });

/**
 * Decodes every prefix of `encoded`, and `encoded` with single bits flipped: each gives a message or
 * a DecodeError, nothing else.
 */
export function expectOnlyDecodeErrors(encoded: Buffer, decode: (bytes: Buffer) => unknown): void {
  const attempt = (input: Buffer): void => {
    try {
      decode(input);
    } catch (error) {
      if (!(error instanceof DecodeError)) {
        throw new Error(`${input.toString('hex')}: ${String(error)}`, { cause: error });
      }
    }
  };
  for (let length = 0; length <= encoded.length; length++) {
    attempt(encoded.subarray(0, length));
  }
  for (let bit = 0; bit < Math.min(encoded.length, 100) * 8; bit++) {
    const flipped = Buffer.from(encoded);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    attempt(flipped);
  }
}
