import { FROM_KEY_END, prefixEnd } from '../../base/key-range.js';
import { argumentBytes } from '../args/argument-bytes.js';

/** A key and where its range ends: empty for the key alone, a zero byte for "to the last key". */
export interface KeyRange {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
}

/** How far a command's range reaches. */
export interface RangeFlags {
  readonly prefix: boolean;
  readonly 'from-key': boolean;
}

/** The range of `<key> [range_end]` under `--prefix` and `--from-key` (reference: cli 4.2). */
export function keyRange(key: string, end: string | undefined, flags: RangeFlags): KeyRange {
  const bytes = argumentBytes(key);
  const open = flags.prefix || flags['from-key'];
  if (open && bytes.length === 0) return { key: FROM_KEY_END, rangeEnd: FROM_KEY_END };
  if (flags['from-key']) return { key: bytes, rangeEnd: FROM_KEY_END };
  if (flags.prefix) return { key: bytes, rangeEnd: prefixEnd(bytes) };
  return { key: bytes, rangeEnd: end === undefined ? Buffer.alloc(0) : argumentBytes(end) };
}
