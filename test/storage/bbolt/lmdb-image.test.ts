import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import type { BackendSnapshot, Bucket, Row } from '../../../src/storage/backend/backend.js';
import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { backendImageSource } from '../../../src/storage/bbolt/backend-image.js';
import { BboltFile } from '../../../src/storage/bbolt/bbolt-file.js';
import { planImage, writeImage } from '../../../src/storage/bbolt/image.js';
import { writeBboltFile } from '../../../src/storage/bbolt/write-file.js';
import { tempDir } from '../../support/temp-dir.js';

/** Beyond what the reader of pages keeps in memory at a time. */
const ROWS = 120_000;
/** Some values lie on pages of their own, some fill most of a page, most are short. */
const LENGTHS = [0, 3, 30, 100, 300, 1900, 2100, 9000];
/** Per cent. */
const OFTEN = [20, 30, 20, 20, 9, 0.5, 0.3, 0.2];

async function filled(): Promise<LmdbBackend> {
  const backend = await LmdbBackend.open({
    directory: await tempDir(),
    clock: nodeClock,
    noSync: true,
  });
  const random = seededRandom(7);
  const order = Array.from({ length: ROWS }, (_, n) => n);
  for (let n = ROWS - 1; n > 0; n--) {
    const other = random.integer(n + 1);
    [order[n], order[other]] = [order[other] ?? 0, order[n] ?? 0];
  }
  for (const [done, n] of order.entries()) {
    const key = Buffer.from(`${n}`.padStart(8, '0'));
    backend.put('key', key, Buffer.alloc(lengthOf(random.float() * 100), `${n}.`));
    if (done % 20_000 === 0) await backend.commit();
  }
  backend.put('authUsers', Buffer.from('root'), Buffer.from('user'));
  await backend.commit();
  return backend;
}

function lengthOf(chance: number): number {
  let rest = chance;
  for (const [index, share] of OFTEN.entries()) {
    rest -= share;
    if (rest < 0) return LENGTHS[index] ?? 0;
  }
  return 0;
}

function contentHash(rows: Iterable<Row>): string {
  const hash = createHash('sha256');
  for (const [key, value] of rows)
    hash.update(`${key.length} ${value.length} `).update(key).update(value);
  return hash.digest('hex');
}

/** What is wrong with the rows of a bucket: too few, too many, or others. */
class RowCheck {
  readonly findings: string[] = [];
  readonly #bucket: Bucket;
  readonly #expected: Iterator<Row>;

  constructor(snapshot: BackendSnapshot, bucket: Bucket) {
    this.#bucket = bucket;
    this.#expected = snapshot.range(bucket, Buffer.alloc(1))[Symbol.iterator]();
  }

  row(key: Buffer, value: Buffer): void {
    const { done, value: row } = this.#expected.next();
    const isEqual = !done && row[0].equals(key) && row[1].equals(value);
    if (!isEqual) this.findings.push(`${this.#bucket} ${key.toString('latin1')}`);
  }

  end(): void {
    if (!this.#expected.next().done) this.findings.push(`${this.#bucket} has more rows`);
  }
}

describe('a bbolt file made of an LMDB file', () => {
  it('has every row though its pages lie scattered over more than is kept of them', async () => {
    const backend = await filled();
    const path = `${await tempDir()}/db`;
    const snapshot = await backend.snapshot();
    await writeBboltFile(nodeFs, path, backendImageSource(snapshot));
    const file = await BboltFile.open(nodeFs, path);
    const findings: string[] = [];
    for await (const bucket of file.buckets()) {
      const check = new RowCheck(snapshot, bucket.name.toString('latin1') as Bucket);
      for await (const leaf of file.rows(bucket)) {
        for (const { key, value } of leaf) check.row(key, value);
      }
      check.end();
      findings.push(...check.findings);
    }
    expect(findings).toEqual([]);
    await file.close();
    snapshot.close();
    await backend.close();
  });

  it('is scanned to the same rows', async () => {
    const backend = await filled();
    const snapshot = await backend.snapshot();
    for (const bucket of ['key', 'authUsers', 'lease'] as const) {
      const check = new RowCheck(snapshot, bucket);
      for (const [key, value] of snapshot.scan?.(bucket) ?? []) check.row(key, value);
      check.end();
      expect(check.findings).toEqual([]);
    }
    snapshot.close();
    await backend.close();
  });

  it('keeps a row that was scanned as it is while others scan the same snapshot', async () => {
    const backend = await filled();
    const snapshot = await backend.snapshot();
    const findings: string[] = [];
    let left = 0;
    for (const [key, value] of snapshot.scan?.('key') ?? []) {
      if (left-- > 0) continue;
      left = ROWS / 8;
      for (const _row of snapshot.scan?.('key') ?? []);
      if (snapshot.get('key', key)?.equals(value) !== true) findings.push(key.toString('latin1'));
    }
    expect(findings).toEqual([]);
    snapshot.close();
    await backend.close();
  });

  it('has the rows of its moment though they are overwritten, and the file replaced, meanwhile', async () => {
    const backend = await filled();
    const snapshot = await backend.snapshot();
    const keys = [...snapshot.range('key', Buffer.alloc(1))].map(([key]) => key);
    const hash = contentHash(snapshot.range('key', Buffer.alloc(1)));
    const random = seededRandom(8);
    const overwriteSome = async (): Promise<void> => {
      for (let n = 0; n < 3000; n++) {
        const key = keys[random.integer(keys.length)] ?? Buffer.of(0);
        if (n % 5 === 0) backend.delete('key', key);
        else backend.put('key', key, Buffer.alloc(lengthOf(random.float() * 100), 'later'));
      }
      await backend.commit();
    };
    const source = backendImageSource(snapshot);
    const planning = planImage(source);
    let step = planning.next();
    for (let steps = 1; !step.done; steps++, step = planning.next()) {
      if (steps % 100 === 0) await overwriteSome();
    }
    const blocks: Buffer[] = [];
    for (const block of writeImage(source, step.value)) {
      if (blocks.push(block) % 100 === 0) await overwriteSome();
      if (blocks.length === 250) await backend.defragment();
    }
    const path = `${await tempDir()}/db`;
    const written = await nodeFs.open(path, { write: true, create: true });
    await written.write(blocks, 0);
    await written.close();
    expect(blocks.length).toBeGreaterThan(250);
    const file = await BboltFile.open(nodeFs, path);
    const bucket = await file.bucket('key');
    const rows: Row[] = [];
    if (bucket !== undefined) {
      for await (const leaf of file.rows(bucket)) {
        rows.push(...leaf.map(({ key, value }): Row => [key, value]));
      }
    }
    expect(contentHash(rows)).toBe(hash);
    expect(contentHash(snapshot.range('key', Buffer.alloc(1)))).toBe(hash);
    await file.close();
    snapshot.close();
    await backend.close();
  });
});
