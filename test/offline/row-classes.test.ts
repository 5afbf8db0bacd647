import fc from 'fast-check';
import { expect, it } from 'vitest';
import { classifyRows, RowClass } from '../../src/offline/row-classes.js';
import { keyOf } from '../../src/proto/hot/key-value.js';
import type { Row } from '../../src/storage/backend/backend.js';
import { keyRow } from './support.js';

interface Change {
  readonly key: number;
  readonly isDelete: boolean;
}

const changes = fc.array(fc.record({ key: fc.nat(40), isDelete: fc.boolean() }), {
  maxLength: 300,
});

function rowsOf(list: readonly Change[]): Row[] {
  return list.map(({ key, isDelete }, index) =>
    keyRow({ main: index + 2, key: `key-${key}`, ...(isDelete ? {} : { value: 'v' }) }),
  );
}

/** What the definition says, row by row. */
function expectedOf(list: readonly Change[]): number[] {
  return list.map(({ key, isDelete }, index) => {
    if (isDelete) return RowClass.deleted;
    const next = list.slice(index + 1).find((change) => change.key === key);
    if (next === undefined) return RowClass.live;
    return next.isDelete ? RowClass.deleted : RowClass.superseded;
  });
}

/** In batches of 7. */
async function* batches(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  for (let at = 0; at < rows.length; at += 7) yield rows.slice(at, at + 7);
}

it('tells what became of every row, also if the table of keys is too small', async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(310), fc.constantFrom(1024, 8), async (list, cut, slots) => {
      const all = rowsOf(list);
      const counted = list.slice(0, Math.max(0, cut - 1));
      const classes = await classifyRows(
        () => batches(all),
        ([, value]) => keyOf(value),
        cut,
        slots,
      );
      const found = counted.map((_change, ordinal) => classes.of(ordinal));
      expect(found).toEqual(expectedOf(counted));
      expect(classes.count).toBe(counted.length);
      expect(classes.hasLive).toBe(found.includes(RowClass.live));
    }),
    { numRuns: 200 },
  );
});
