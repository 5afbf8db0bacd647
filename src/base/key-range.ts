import type { KeyText } from './bytes.js';

/**
 * The second bound of a range, as requests carry it (reference: api 10.1): '' for the one key,
 * '\0' for everything from the key on, else the end, which is not part of the range. A range whose
 * end is not above its key is empty.
 */
export type RangeEnd = KeyText;

/** The range of exactly one key. */
export const ONE_KEY: RangeEnd = '';
/** The range of all keys from the first on. */
export const FROM_KEY: RangeEnd = '\0';

/** The range end that means "every key from here on". */
export const FROM_KEY_END: Buffer = Buffer.from([0]);

/**
 * The end of the range of all keys with this prefix: the last byte below 0xff is raised by one and
 * what follows it cut. A prefix of nothing but 0xff, or an empty one, has no end.
 */
export function prefixEnd(prefix: Uint8Array): Buffer {
  for (let at = prefix.length - 1; at >= 0; at--) {
    const byte = prefix[at] ?? 0;
    if (byte < 0xff) {
      const end = Buffer.from(prefix.subarray(0, at + 1));
      end[at] = byte + 1;
      return end;
    }
  }
  return FROM_KEY_END;
}
