import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasTrailingHash, SnapshotChecksum } from '../../src/offline/snapshot-checksum.js';
import { SnapshotFile, SnapshotSaveError } from '../../src/offline/snapshot-save.js';
import { type FsOperation, MemoryFs } from '../../src/platform/memory-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { fileBytes } from '../storage/wal/support.js';

const PAGES = Buffer.alloc(3 * 4096 * 300, 'p');
const WHOLE = Buffer.concat([PAGES, createHash('sha256').update(PAGES).digest()]);

async function save(fs: MemoryFs, bytes: Buffer, blobBytes = 32 * 1024): Promise<void> {
  const file = await SnapshotFile.create(fs, '/backup/s.db');
  try {
    for (let at = 0; at < bytes.length; at += blobBytes) {
      await file.write(bytes.subarray(at, at + blobBytes));
    }
    expect(file.size).toBe(bytes.length);
    await file.finish();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

async function disk(): Promise<MemoryFs> {
  const fs = new MemoryFs();
  await fs.makeDirectory('/backup');
  await fs.syncDirectory('/');
  return fs;
}

describe('saving a snapshot', () => {
  it('leaves the whole file, which outlives a power loss, and no part', async () => {
    const fs = await disk();
    await save(fs, WHOLE);
    expect(await fs.readDirectory('/backup')).toEqual(['s.db']);
    const after = fs.crash(seededRandom(1), 'lose');
    expect((await fileBytes(after, '/backup/s.db')).equals(WHOLE)).toBe(true);
  });

  it('replaces an older file only when the new one is whole', async () => {
    const fs = await disk();
    await save(fs, WHOLE);
    const flipped = Buffer.from(WHOLE);
    flipped[5000] = 0;
    await expect(save(fs, flipped)).rejects.toThrow(/^expected sha256 \[\d+( \d+){31}\], got \[/);
    await expect(save(fs, WHOLE.subarray(0, -1))).rejects.toThrow(
      `sha256 checksum not found [bytes: ${WHOLE.length - 1}]`,
    );
    expect(await fs.readDirectory('/backup')).toEqual(['s.db']);
    expect((await fileBytes(fs, '/backup/s.db')).equals(WHOLE)).toBe(true);
  });

  it.each<[FsOperation, RegExp]>([
    [
      'open',
      /^could not open \/backup\/s\.db\.part \(open \/backup\/s\.db\.part: no space left on device\)$/,
    ],
    ['write', /^could not write snapshot: write \/backup\/s\.db\.part: no space left on device$/],
    ['sync', /^could not fsync snapshot: /],
    ['rename', /^could not rename \/backup\/s\.db\.part to \/backup\/s\.db \(/],
  ])('leaves nothing behind when %s fails', async (operation, message) => {
    const fs = await disk();
    fs.failNext({ operation, code: 'ENOSPC', pathContains: 's.db.part' });
    const failure = await save(fs, WHOLE).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SnapshotSaveError);
    expect((failure as Error).message).toMatch(message);
    expect(await fs.readDirectory('/backup')).toEqual([]);
  });

  it('leaves nothing behind on a disk that gets full', async () => {
    const fs = await disk();
    fs.limitSpace(2 * 1024 * 1024);
    await expect(save(fs, WHOLE)).rejects.toThrow('no space left on device');
    expect(await fs.readDirectory('/backup')).toEqual([]);
  });
});

describe('the checksum behind a snapshot', () => {
  it('is found however the bytes are cut', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        bytes,
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (fill, cuts) => {
          const page = Buffer.alloc(512 * 2, Buffer.from(fill));
          const whole = Buffer.concat([page, createHash('sha256').update(page).digest()]);
          const checksum = new SnapshotChecksum();
          for (let at = 0, cut = 0; at < whole.length; cut++) {
            const length = cuts[cut % cuts.length] ?? 1;
            checksum.update(whole.subarray(at, at + length));
            at += length;
          }
          expect(checksum.problem()).toBeUndefined();
        },
      ),
    );
  });

  it('is there or not by the length', () => {
    expect([0, 31, 32, 512, 544, 4096, 4128].filter(hasTrailingHash)).toEqual([32, 544, 4128]);
  });
});
