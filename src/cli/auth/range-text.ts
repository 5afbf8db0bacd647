import { quoteGo } from '../../base/go-format.js';
import { FROM_KEY_END, prefixEnd } from '../../base/key-range.js';
import type { KeyRange } from '../kv/key-range.js';

/** A range in words: `"k"`, `["a", "c")`, `["/app/", "/app0") (prefix "/app/")`. */
export function rangeText({ key, rangeEnd }: KeyRange): string {
  if (rangeEnd.length === 0) return quoteGo(key);
  if (rangeEnd.equals(FROM_KEY_END)) {
    const isAll = key.length === 0 || key.equals(FROM_KEY_END);
    return isAll ? 'all keys' : `[${quoteGo(key)}, and all keys after it)`;
  }
  const prefix = rangeEnd.equals(prefixEnd(key)) ? ` (prefix ${quoteGo(key)})` : '';
  return `[${quoteGo(key)}, ${quoteGo(rangeEnd)})${prefix}`;
}
