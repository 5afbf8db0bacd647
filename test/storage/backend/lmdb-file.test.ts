import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import type { Row } from '../../../src/storage/backend/backend.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { LmdbFile } from '../../../src/storage/backend/lmdb-file.js';
import { LmdbFileError } from '../../../src/storage/backend/lmdb-page.js';
import { pinLmdbFile } from '../../../src/storage/backend/lmdb-pin.js';
import { tempDir } from '../../support/temp-dir.js';

/** A file with many pages, values of all sizes, and pages that are free. */
async function makeFile(): Promise<{ path: string; expected: Map<string, Buffer> }> {
  const directory = await tempDir();
  const backend = await LmdbBackend.open({ directory, clock: nodeClock });
  const random = seededRandom(4);
  const expected = new Map<string, Buffer>();
  for (let round = 0; round < 3000; round++) {
    const key = `key-${random.integer(1500)}`;
    if (random.float() < 0.2) {
      backend.delete('key', Buffer.from(key));
      expected.delete(key);
    } else {
      const size = round % 50 === 0 ? random.integer(20_000) : random.integer(300);
      const value = Buffer.alloc(size, round);
      backend.put('key', Buffer.from(key), value);
      expected.set(key, value);
    }
    if (round % 500 === 0) await backend.commit();
  }
  await backend.close();
  return { path: join(directory, LMDB_FILE_NAME), expected };
}

async function rowsOf(file: LmdbFile, reverse: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { name, tree } of file.tables()) {
    if (name.toString() !== 'key') continue;
    for await (const batch of file.rows(tree, { reverse })) rows.push(...batch);
  }
  return rows;
}

describe('reading a file of LMDB without LMDB', () => {
  it('gives what was written, forwards and backwards, and each key alone', async () => {
    const { path, expected } = await makeFile();
    const file = await LmdbFile.open(nodeFs, path);
    try {
      const keys = [...expected.keys()].sort();
      const rows = await rowsOf(file, false);
      expect(rows.map(([key]) => key.toString())).toEqual(keys);
      expect(rows.every(([key, value]) => expected.get(key.toString())?.equals(value))).toBe(true);
      const backwards = await rowsOf(file, true);
      expect(backwards.map(([key]) => key.toString())).toEqual(keys.reverse());
      for await (const { name, tree } of file.tables()) {
        if (name.toString() !== 'key') continue;
        for (let at = 0; at < 1500; at++) {
          const found = await file.get(tree, Buffer.from(`key-${at}`));
          expect(found).toEqual(expected.get(`key-${at}`));
        }
        expect(await file.get(tree, Buffer.from('a'))).toBeUndefined();
        expect(await file.get(tree, Buffer.from('z'))).toBeUndefined();
      }
      expect(await file.isChanged()).toBe(false);
    } finally {
      await file.close();
    }
  });

  it('tells a file that was cut off or is another', async () => {
    const { path } = await makeFile();
    const { length } = await readFile(path);
    await truncate(path, length - 5 * 4096);
    // At once if the root of a tree is missing.
    await expect(LmdbFile.open(nodeFs, path)).rejects.toThrow(LmdbFileError);
    await truncate(path, 5000);
    await expect(LmdbFile.open(nodeFs, path)).rejects.toThrow(LmdbFileError);
  });

  it('needs no reader table, and holds none where there is none', async () => {
    const { path } = await makeFile();
    await nodeFs.remove(`${path}-lock`);
    expect(await pinLmdbFile(nodeFs, path)).toBeUndefined();
    expect(await nodeFs.stat(`${path}-lock`)).toBeUndefined();
  });
});
