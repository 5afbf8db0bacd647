import type { KeyText } from '../../base/bytes.js';

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

/** The exclusive end of a range of more than one key; undefined: none. */
export function exclusiveEnd(rangeEnd: RangeEnd): KeyText | undefined {
  return rangeEnd === FROM_KEY ? undefined : rangeEnd;
}
