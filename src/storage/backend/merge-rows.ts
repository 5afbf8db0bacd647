import { type KeyText, keyBytes, keyText } from '../../base/bytes.js';
import type { Row } from './backend.js';
import type { RowCursor } from './sorted-rows.js';
import type { BufferedValue } from './write-buffer.js';

/**
 * Stored rows as the writes on top of them make them look.
 *
 * `base` ascends from the start of the range to its end. `layers` are cursors at the start of the
 * range, the oldest writes first; a later layer overrules an earlier one, and any overrules `base`.
 * Yields at most `limit` rows below `end` (undefined: no end).
 */
export function* mergeRows(
  base: Generator<Row>,
  layers: readonly RowCursor<BufferedValue>[],
  end: KeyText | undefined,
  limit: number,
): Generator<Row> {
  try {
    let count = 0;
    let stored = nextStored(base);
    while (count < limit) {
      const key = smallestKey(layers, stored?.key);
      if (key === undefined || (end !== undefined && key >= end)) {
        return;
      }
      let row: Row | undefined;
      if (stored?.key === key) {
        row = stored.row;
        stored = nextStored(base);
      }
      for (const layer of layers) {
        if (layer.key === key) {
          row = layer.value ? [row?.[0] ?? keyBytes(key), layer.value] : undefined;
          layer.advance();
        }
      }
      if (row !== undefined) {
        count++;
        yield row;
      }
    }
  } finally {
    base.return(undefined);
  }
}

function nextStored(base: Generator<Row>): { key: KeyText; row: Row } | undefined {
  const next = base.next();
  return next.done ? undefined : { key: keyText(next.value[0]), row: next.value };
}

function smallestKey(
  layers: readonly RowCursor<BufferedValue>[],
  stored: KeyText | undefined,
): KeyText | undefined {
  let smallest = stored;
  for (const { key } of layers) {
    if (key !== undefined && (smallest === undefined || key < smallest)) {
      smallest = key;
    }
  }
  return smallest;
}
