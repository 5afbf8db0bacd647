import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import type { Row } from '../../../src/storage/backend/backend.js';
import { BboltFile } from '../../../src/storage/bbolt/bbolt-file.js';
import { PageUse } from '../../../src/storage/bbolt/page-use.js';
import { streamBboltFile } from '../../../src/storage/bbolt/stream-file.js';

function bucketOf(count: number, seed: number): Row[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const key = Buffer.from(String(index).padStart(8, '0'));
    const size = random.integer(100) === 0 ? random.integer(50_000) : random.integer(400);
    return [key, Buffer.alloc(size, index)] as const;
  });
}

async function* batches(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  for (let at = 0; at < rows.length; at += 37) yield rows.slice(at, at + 37);
}

describe('a bbolt file that is written in one go', () => {
  it.each([0, 1, 5, 200, 8000])(
    'holds what it was given, page for page: %d rows',
    async (count) => {
      const contents = new Map([
        ['alarm', [] as Row[]],
        ['key', bucketOf(count, count)],
        ['meta', bucketOf(3, 1)],
      ]);
      const fs = new MemoryFs({ tracked: false });
      const buckets = (async function* () {
        for (const [name, rows] of contents) yield { name, rows: () => batches(rows) };
      })();
      const bytes = await streamBboltFile(fs, '/db', buckets);
      expect((await fs.stat('/db'))?.size).toBe(bytes);
      const file = await BboltFile.open(fs, '/db');
      const use = new PageUse(file.pageCount);
      const found = new Map<string, Row[]>();
      for await (const bucket of file.buckets(use.visit)) {
        const rows: Row[] = [];
        for await (const elements of file.rows(bucket, use.visit)) {
          rows.push(...elements.map(({ key, value }): Row => [key, value]));
        }
        found.set(bucket.name.toString(), rows);
      }
      await use.checkFreelist(file);
      expect(file.bytes).toBe(bytes);
      expect([...found.keys()]).toEqual([...contents.keys()]);
      for (const [name, rows] of contents) {
        const same = found.get(name)?.every(([key, value], index) => {
          const [expectedKey, expectedValue] = rows[index] ?? [];
          return expectedKey?.equals(key) === true && expectedValue?.equals(value) === true;
        });
        expect(same, name).toBe(true);
        expect(found.get(name)?.length).toBe(rows.length);
      }
      await file.close();
    },
  );
});
