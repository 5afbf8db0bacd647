import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import type { RowBatch } from '../../../src/storage/backend/backend.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { backendImageSource } from '../../../src/storage/bbolt/backend-image.js';
import { BboltFile } from '../../../src/storage/bbolt/bbolt-file.js';
import { databaseRows, type ReadProgress } from '../../../src/storage/bbolt/database-rows.js';
import { writeBboltFile } from '../../../src/storage/bbolt/write-file.js';
import { sharedPath } from '../../support/shared.js';
import { putFile } from '../wal/support.js';
import { imageOf } from './images.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

async function openImage(image: Buffer): Promise<BboltFile> {
  const fs = new MemoryFs({ tracked: false });
  await putFile(fs, '/db', image);
  return BboltFile.open(fs, '/db');
}

async function collect(rows: AsyncIterable<RowBatch>): Promise<RowBatch[]> {
  const batches: RowBatch[] = [];
  for await (const batch of rows) batches.push(batch);
  return batches;
}

describe('the rows of a database file', () => {
  it('leaves out unknown buckets and says so', async () => {
    const file = await openImage(
      imageOf({ key: [[bytes('k'), bytes('v')]], test: [[bytes('t'), bytes('')]] }),
    );
    const unknown: string[] = [];
    const batches = await collect(
      databaseRows(file, { onUnknownBucket: (name) => unknown.push(name) }),
    );
    expect(batches).toEqual([{ bucket: 'key', rows: [[bytes('k'), bytes('v')]] }]);
    expect(unknown).toEqual(['test']);
  });

  it('refuses a name that is too long, in words', async () => {
    const file = await openImage(imageOf({ authUsers: [[Buffer.alloc(2000, 'x'), bytes('')]] }));
    await expect(collect(databaseRows(file))).rejects.toThrow(
      /bucket authUsers has a key of 2000 bytes \("x{32}..."\), at most 1978 can be stored here/,
    );
  });

  it('tells how far it is', async () => {
    const rows = Array.from({ length: 5000 }, (_, n) => {
      return [bytes(String(n).padStart(8, '0')), Buffer.alloc(100)] as const;
    });
    const file = await openImage(imageOf({ key: rows }));
    const told: ReadProgress[] = [];
    await collect(databaseRows(file, { onProgress: (progress) => told.push(progress) }));
    expect(told.length).toBeGreaterThan(100);
    expect(told.at(-1)?.rows).toBe(5000);
    expect(told.at(-1)?.bytes).toBeLessThanOrEqual(file.bytes);
    expect(told.at(-1)?.bytes).toBeGreaterThan(file.bytes * 0.9);
  });
});

describe('writing a database file', () => {
  it('brings everything to a file and back', async () => {
    const fs = new MemoryFs({ tracked: false });
    await fs.makeDirectory('/d');
    const backend = new MemoryBackend();
    for (let n = 0; n < 30_000; n++) {
      backend.put('key', bytes(String(n).padStart(8, '0')), Buffer.alloc(60, n));
    }
    backend.put('key', bytes('large'), Buffer.alloc(3_000_000, 7));
    backend.put('authUsers', bytes('root'), bytes('user'));
    const snapshot = await backend.snapshot();
    const told: [number, number][] = [];
    const length = await writeBboltFile(fs, '/d/db', backendImageSource(snapshot), {
      onProgress: (...progress) => told.push(progress),
    });
    expect(await fs.readDirectory('/d')).toEqual(['db']);
    expect((await fs.stat('/d/db'))?.size).toBe(length);
    expect(told.at(-1)).toEqual([length, length]);
    const file = await BboltFile.open(fs, '/d/db');
    const other = new MemoryBackend();
    await other.replaceWith(databaseRows(file));
    for (const bucket of ['key', 'authUsers', 'lease'] as const) {
      const [ours, theirs] = [backend, other].map((each) => [...each.range(bucket, bytes('\x00'))]);
      expect(Buffer.concat((theirs ?? []).flat()).equals(Buffer.concat((ours ?? []).flat()))).toBe(
        true,
      );
      expect(theirs?.length).toBe(ours?.length);
    }
  });

  it('leaves nothing behind when the disk fails', async () => {
    const fs = new MemoryFs({ tracked: false });
    await fs.makeDirectory('/d');
    const rename = fs.rename.bind(fs);
    fs.rename = async () => {
      throw new Error('no rename today');
    };
    const snapshot = await new MemoryBackend().snapshot();
    const source = backendImageSource(snapshot);
    await expect(writeBboltFile(fs, '/d/db', source)).rejects.toThrow('no rename today');
    expect(await fs.readDirectory('/d')).toEqual([]);
    fs.rename = rename;
    await writeBboltFile(fs, '/d/db', source);
    expect(await fs.readDirectory('/d')).toEqual(['db']);
  });
});

describe.skipIf(sharedPath('fixtures') === undefined)('snapshots of a real etcd', () => {
  it.each(['v3.4.23', 'v3.5.30'])('reads all buckets of %s', async (version) => {
    const path = sharedPath('fixtures', `${version}.snapshot.db.gz`) ?? '';
    const file = await openImage(gunzipSync(readFileSync(path)));
    const unknown: string[] = [];
    const backend = new MemoryBackend();
    await backend.replaceWith(
      databaseRows(file, { onUnknownBucket: (name) => unknown.push(name) }),
    );
    expect(unknown).toEqual([]);
    expect([...backend.range('key', Buffer.alloc(0))].length).toBeGreaterThan(10);
    expect([...backend.range('cluster', Buffer.alloc(0))].length).toBeGreaterThan(0);
  });
});
