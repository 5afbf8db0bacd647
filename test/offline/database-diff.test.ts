import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differences } from '../../src/offline/database-diff.js';
import { liveEntries } from '../../src/offline/live-entries.js';
import { bboltImage, keyRow, withFile } from './support.js';

interface Change {
  readonly key: string;
  readonly value: string;
  readonly lease: bigint;
  readonly isDelete: boolean;
}

const change = fc.record({
  key: fc.constantFrom('a', 'b', 'c/1', 'c/2', 'd\u0000', '\u00ff', 'é', ''),
  value: fc.constantFrom('', '1', '2'),
  lease: fc.constantFrom(0n, 7n),
  isDelete: fc.boolean(),
});
const history = fc.array(change, { maxLength: 60 });

/** Key, then value and lease, and the revision. */
function stateOf(list: readonly Change[]): Map<string, { content: string; revision: number }> {
  const state = new Map<string, { content: string; revision: number }>();
  for (const [index, { key, value, lease, isDelete }] of list.entries()) {
    if (isDelete) state.delete(key);
    else state.set(key, { content: `${value} ${lease}`, revision: index + 2 });
  }
  return state;
}

async function entriesOf(list: readonly Change[], runBytes: number) {
  const rows = list.map(({ key, value, lease, isDelete }, index) =>
    keyRow({ main: index + 2, key, ...(isDelete ? {} : { value, lease }) }),
  );
  const fs = await withFile(bboltImage({ key: rows, meta: [] }));
  await fs.makeDirectory('/temporary');
  return { fs, entries: liveEntries(fs, '/db', { temporary: '/temporary', runBytes }) };
}

describe('the differences of two databases', () => {
  it('are those of their keys, in order, however little memory there is', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        history,
        fc.constantFrom(1, 1500, 1e6),
        fc.boolean(),
        async (left, right, runBytes, comparesRevisions) => {
          const before = await entriesOf(left, runBytes);
          const after = await entriesOf(right, runBytes);
          const found: string[] = [];
          for await (const { kind, key } of differences(before.entries, after.entries, {
            comparesRevisions,
          })) {
            found.push(`${kind} ${Buffer.from(key, 'latin1')}`);
          }
          const [a, b] = [stateOf(left), stateOf(right)];
          const expected = [...new Set([...a.keys(), ...b.keys()])]
            .sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
            .flatMap((key) => {
              const [was, is] = [a.get(key), b.get(key)];
              if (was === undefined) return [`added ${key}`];
              if (is === undefined) return [`removed ${key}`];
              const isSame =
                was.content === is.content && (!comparesRevisions || was.revision === is.revision);
              return isSame ? [] : [`changed ${key}`];
            });
          expect(found).toEqual(expected);
          expect(await before.fs.readDirectory('/temporary')).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });
});
