import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { BboltFile } from '../../../src/storage/bbolt/bbolt-file.js';
import { decodeBranch } from '../../../src/storage/bbolt/branch.js';
import { BLOCK_BYTES, planImage, writeImage } from '../../../src/storage/bbolt/image.js';
import { decodePageHeader, PAGE_BYTES, PageKind } from '../../../src/storage/bbolt/page.js';
import { PageUse } from '../../../src/storage/bbolt/page-use.js';
import { putFile } from '../wal/support.js';
import { type Content, imageOf, type Rows, sourceOf } from './images.js';

/** Reads everything back, with all checks. */
async function readBack(image: Buffer): Promise<Content> {
  const fs = new MemoryFs({ tracked: false });
  await putFile(fs, '/db', image);
  const file = await BboltFile.open(fs, '/db');
  expect(file.bytes).toBe(image.length);
  const use = new PageUse(file.pageCount);
  const content: Record<string, Rows> = {};
  for await (const bucket of file.buckets(use.visit)) {
    const rows: (readonly [Buffer, Buffer])[] = [];
    for await (const leaf of file.rows(bucket, use.visit)) {
      for (const { key, value } of leaf) rows.push([key, value]);
    }
    content[bucket.name.toString('latin1')] = rows;
    const inOrder = createHash('sha256');
    for (const [key, value] of rows) inOrder.update(key).update(value);
    const inPlace = createHash('sha256');
    await file.eachLeaf(bucket, undefined, ({ bytes, places }) => {
      inPlace.update(bytes.subarray(places[0], places.at(-1)));
    });
    expect(inPlace.digest('hex')).toBe(inOrder.digest('hex'));
    const [key, value] = rows[rows.length >> 1] ?? [];
    if (key !== undefined) expect(await file.get(bucket, key)).toEqual(value);
    expect(await file.get(bucket, Buffer.from('no such key'))).toBeUndefined();
  }
  await use.checkFreelist(file);
  await file.close();
  return content;
}

/** Equal for equal contents; comparing many thousand buffers one by one takes seconds. */
function digest(content: Content): Record<string, string> {
  const entries = Object.entries(content).map(([name, rows]) => {
    const hash = createHash('sha256');
    for (const [key, value] of rows)
      hash.update(`${key.length} ${value.length} `).update(key).update(value);
    return [name, `${rows.length} rows ${hash.digest('hex')}`] as const;
  });
  return Object.fromEntries(entries);
}

/** Number of children of every branch page. */
function branchSizes(image: Buffer): number[] {
  const sizes: number[] = [];
  for (let at = 2 * PAGE_BYTES; at < image.length; ) {
    const header = decodePageHeader(image, at);
    const bytes = (header.overflow + 1) * PAGE_BYTES;
    if (header.flags === PageKind.branch) {
      const page = image.subarray(at, at + bytes);
      sizes.push(decodeBranch(page, { file: 'image', offset: at }).length);
    }
    at += bytes;
  }
  return sizes;
}

function numbered(count: number, valueBytes: number, keyBytes = 17): Rows {
  return Array.from({ length: count }, (_, index) => [
    Buffer.from(String(index).padStart(keyBytes, '0')),
    Buffer.alloc(valueBytes, index),
  ]);
}

const rowsArbitrary = fc
  .uniqueArray(
    fc.tuple(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.oneof(
        { weight: 9, arbitrary: fc.nat(300) },
        { weight: 1, arbitrary: fc.constantFrom(4040, 4064, 4096, 9000, 40_000) },
      ),
    ),
    { maxLength: 120, selector: ([key]) => Buffer.from(key).toString('latin1') },
  )
  .map(
    (rows): Rows =>
      rows
        .map(([key, size]) => [Buffer.from(key), Buffer.alloc(size, size)] as const)
        .sort(([a], [b]) => a.compare(b)),
  );

describe('a bbolt file', () => {
  it('gives back what was written, whatever the buckets hold', async () => {
    const content = fc.dictionary(fc.stringMatching(/^[a-z]{1,12}$/), rowsArbitrary, {
      maxKeys: 10,
      noNullPrototype: true,
    });
    await fc.assert(
      fc.asyncProperty(content, fc.boolean(), async (buckets, storeFreelist) => {
        const image = imageOf(buckets, { storeFreelist });
        expect(digest(await readBack(image))).toEqual(digest(buckets));
      }),
      { numRuns: 60 },
    );
  });

  it.each([0, 1, 2, 3, 30, 31, 32, 33])('holds %i rows', async (count) => {
    const content = { key: numbered(count, 100) };
    expect(await readBack(imageOf(content))).toEqual(content);
  });

  it('holds 20,000 rows and values of 1.4 MB', async () => {
    const large = numbered(3, 1_400_000).map(([, value], index) => {
      return [Buffer.from(`9999999999999999${index}`), value] as const;
    });
    const content = { key: [...numbered(20_000, 60), ...large], meta: [] };
    const image = imageOf(content);
    expect(digest(await readBack(image))).toEqual(digest(content));
    expect(Math.min(...branchSizes(image))).toBeGreaterThanOrEqual(2);
  });

  it('never has a branch with one child, however many levels there are', async () => {
    // Long keys: few children a branch, so many levels.
    for (let count = 2; count < 140; count++) {
      const image = imageOf({ key: numbered(count, 2000, 900) });
      for (const size of branchSizes(image)) expect(size).toBeGreaterThanOrEqual(2);
    }
    const content = { key: numbered(700, 1500, 1900) };
    const image = imageOf(content);
    expect(branchSizes(image).length).toBeGreaterThan(300);
    expect(digest(await readBack(image))).toEqual(digest(content));
  });

  it('comes in blocks whose length is known before', () => {
    const source = sourceOf({ key: numbered(5000, 50) });
    const planning = planImage(source);
    let step = planning.next();
    let steps = 0;
    for (; !step.done; step = planning.next()) steps++;
    expect(steps).toBeGreaterThan(10);
    const blocks = [...writeImage(source, step.value)];
    expect(blocks.slice(0, -1).every((block) => block.length === BLOCK_BYTES)).toBe(true);
    expect(blocks.reduce((sum, block) => sum + block.length, 0)).toBe(step.value.bytes);
  });

  it('is not finished if the source changed between its readings', () => {
    const planning = planImage(sourceOf({ key: numbered(100, 50) }));
    let step = planning.next();
    while (!step.done) step = planning.next();
    const layout = step.value;
    const changed = sourceOf({ key: numbered(1000, 50) });
    expect(() => [...writeImage(changed, layout)]).toThrow('changed between its two readings');
  });

  it('does not write leaves that are out of order', () => {
    const rows = numbered(400, 50);
    const planning = planImage(sourceOf({ key: [...rows.slice(200), ...rows.slice(0, 200)] }));
    expect(() => [...planning]).toThrow('keys out of order');
  });

  it('closes its source when the writer is told to stop', () => {
    let isClosed = false;
    const source = {
      buckets: ['key'],
      *rows() {
        try {
          yield* numbered(5000, 50);
        } finally {
          isClosed = true;
        }
      },
    };
    const blocks = writeImage(source, { pageCount: 9, bytes: 9, root: 8, storeFreelist: false });
    blocks.next();
    expect(isClosed).toBe(false);
    blocks.return(undefined);
    expect(isClosed).toBe(true);
  });
});
