import type { KeyText } from './bytes.js';

/* Searches in keys that ascend, each once. */

/** The first position whose key is not below `key`; the length if there is none. */
export function lowerBound(keys: readonly KeyText[], key: KeyText): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as KeyText) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
