import { argumentBytes } from '../args/argument-bytes.js';

/** A key and where its range ends: empty for the key alone, a zero byte for "to the last key". */
export interface KeyRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

const ZERO_BYTE = Buffer.of(0);

/** How far a command's range reaches. */
export interface RangeFlags {
  readonly prefix: boolean;
  readonly 'from-key': boolean;
}

/** The range of `<key> [range_end]` under `--prefix` and `--from-key` (reference: cli 4.2). */
export function keyRange(key: string, end: string | undefined, flags: RangeFlags): KeyRange {
  const bytes = argumentBytes(key);
  const open = flags.prefix || flags['from-key'];
  if (open && bytes.length === 0) return { key: ZERO_BYTE, rangeEnd: ZERO_BYTE };
  if (flags['from-key']) return { key: bytes, rangeEnd: ZERO_BYTE };
  if (flags.prefix) return { key: bytes, rangeEnd: prefixEnd(bytes) };
  return { key: bytes, rangeEnd: end === undefined ? Buffer.alloc(0) : argumentBytes(end) };
}

/** The first key after all those that begin with `prefix`; a zero byte if there is none. */
export function prefixEnd(prefix: Uint8Array): Buffer {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const byte = prefix[at] ?? 0xff;
    if (byte < 0xff) {
      const end = Buffer.from(prefix.subarray(0, at + 1));
      end[at] = byte + 1;
      return end;
    }
  }
  return ZERO_BYTE;
}
