import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diskUsage, prefixOf } from '../../src/offline/disk-usage.js';
import { bboltImage, keyRow, withFile } from './support.js';

const change = fc.record({
  key: fc.constantFrom('/a/x/1', '/a/x/2', '/a/y/1', '/b/1', 'plain', 'b/x/y/z', '/', ''),
  size: fc.nat(200),
  isDelete: fc.boolean(),
});

const kinds = ['live', 'superseded', 'deleted'] as const;

describe('the sums by prefix', () => {
  it('are those of adding up row by row', async () => {
    const depths = fc.nat(4);
    const lists = fc.array(change, { maxLength: 120 });
    await fc.assert(
      fc.asyncProperty(lists, depths, fc.constantFrom('', '/a'), async (list, depth, prefix) => {
        const rows = list.map(({ key, size, isDelete }, index) =>
          keyRow({ main: index + 2, key, ...(isDelete ? {} : { value: 'v'.repeat(size) }) }),
        );
        const fs = await withFile(bboltImage({ key: rows, meta: [] }));
        const usage = await diskUsage(fs, '/db', { depth, separator: '/', prefix });
        const expected = new Map<string, number>();
        for (const [index, { key, isDelete }] of list.entries()) {
          if (!key.startsWith(prefix)) continue;
          const next = list.slice(index + 1).find((later) => later.key === key);
          const replaced = next?.isDelete === false ? 'superseded' : 'deleted';
          const kind = isDelete ? 'deleted' : next === undefined ? 'live' : replaced;
          const row = rows[index];
          const bytes = (row?.[0].length ?? 0) + (row?.[1].length ?? 0);
          const name = `${prefixOf(key, '/', depth)} ${kind}`;
          expected.set(name, (expected.get(name) ?? 0) + bytes);
        }
        const found = new Map<string, number>();
        for (const group of usage.prefixes) {
          for (const kind of kinds) {
            if (group[kind].rows > 0) found.set(`${group.prefix} ${kind}`, group[kind].bytes);
          }
        }
        expect(found).toEqual(expected);
        const sum = [...expected.values()].reduce((left, right) => left + right, 0);
        expect(kinds.reduce((left, kind) => left + usage.total[kind].bytes, 0)).toBe(sum);
        expect(usage.compactedBytes).toBeLessThanOrEqual(usage.usedBytes);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['/a/b/c', 0, ''],
    ['/a/b/c', 1, '/a/'],
    ['/a/b/c', 2, '/a/b/'],
    ['/a/b/c', 9, '/a/b/'],
    ['a/b', 1, 'a/'],
    ['plain', 3, ''],
  ])('has %s with %d parts in "%s"', (key, depth, expected) => {
    expect(prefixOf(key, '/', depth)).toBe(expected);
  });

  it('go on with shorter prefixes where there are too many', async () => {
    const rows = Array.from({ length: 100_500 }, (_, index) =>
      keyRow({ main: index + 2, key: `/p${index % 10}/${index}/x`, value: '' }),
    );
    const fs = await withFile(bboltImage({ key: rows, meta: [] }));
    const { depth, prefixes, total } = await diskUsage(fs, '/db', { depth: 2, separator: '/' });
    expect(depth).toBe(1);
    expect(prefixes.map(({ prefix }) => prefix).sort()).toEqual(
      Array.from({ length: 10 }, (_, index) => `/p${index}/`),
    );
    expect(total.live.rows).toBe(100_500);
  });
});
