import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedRows } from '../../../src/storage/backend/sorted-rows.js';

const keyOf = (n: number): string => String(n).padStart(5, '0');

function rowsFrom(rows: SortedRows<number>, start = ''): [string, number | undefined][] {
  const found: [string, number | undefined][] = [];
  for (const cursor = rows.cursor(start); cursor.key !== undefined; cursor.advance()) {
    found.push([cursor.key, cursor.value]);
  }
  return found;
}

function modelFrom(model: ReadonlyMap<string, number>, start = ''): [string, number][] {
  return [...model].filter(([key]) => key >= start).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('SortedRows', () => {
  it('agrees with a plain map over many chunks, and so do its clones', () => {
    const span = fc.record({
      kind: fc.constantFrom('set', 'delete', 'clone'),
      from: fc.integer({ min: 0, max: 4000 }),
      count: fc.integer({ min: 1, max: 900 }),
      step: fc.constantFrom(-7, -1, 1, 3, 11),
    });
    fc.assert(
      fc.property(fc.array(span, { maxLength: 25 }), (spans) => {
        const rows = new SortedRows<number>();
        const model = new Map<string, number>();
        const clones: { rows: SortedRows<number>; expected: [string, number][] }[] = [];
        for (const [round, { kind, from, count, step }] of spans.entries()) {
          if (kind === 'clone') {
            clones.push({ rows: rows.clone(), expected: modelFrom(model) });
            continue;
          }
          for (let index = 0; index < count; index++) {
            const key = keyOf(Math.abs(from + index * step));
            const before = model.get(key);
            if (kind === 'set') {
              expect(rows.set(key, round)).toBe(before);
              model.set(key, round);
            } else {
              expect(rows.delete(key)).toBe(before);
              model.delete(key);
            }
          }
          expect(rows.size).toBe(model.size);
          expect(rows.get(keyOf(from))).toBe(model.get(keyOf(from)));
          expect(rowsFrom(rows, keyOf(from))).toEqual(modelFrom(model, keyOf(from)));
        }
        for (const clone of clones) {
          expect(rowsFrom(clone.rows)).toEqual(clone.expected);
        }
        // A clone that is written to leaves the original alone.
        for (const { rows: clone } of clones) {
          clone.set(keyOf(0), -1);
          clone.delete(keyOf(1));
        }
        expect(rowsFrom(rows)).toEqual(modelFrom(model));
      }),
      { numRuns: 60 },
    );
  });

  it('lets a cursor go on behind its row when rows around it change', () => {
    const rows = new SortedRows<number>();
    for (let n = 0; n < 2000; n += 2) {
      rows.set(keyOf(n), n);
    }
    const cursor = rows.cursor(keyOf(500));
    for (let n = 0; n < 2000; n++) {
      rows.delete(keyOf(n));
      rows.set(keyOf(n + 1), n + 1);
    }
    const seen: (string | undefined)[] = [];
    rows.set(keyOf(501), 1);
    rows.set(keyOf(499), 1);
    while (cursor.key !== undefined) {
      seen.push(cursor.key);
      cursor.advance();
    }
    expect(seen).toEqual([keyOf(500), keyOf(501), keyOf(2000)]);
  });
});
