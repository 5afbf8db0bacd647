import type { KeyText } from '../../base/bytes.js';
import { FROM_KEY, type RangeEnd } from '../../base/key-range.js';

export { FROM_KEY, ONE_KEY, type RangeEnd } from '../../base/key-range.js';

/** The exclusive end of a range of more than one key; undefined: none. */
export function exclusiveEnd(rangeEnd: RangeEnd): KeyText | undefined {
  return rangeEnd === FROM_KEY ? undefined : rangeEnd;
}
