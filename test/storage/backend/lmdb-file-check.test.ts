import { chmod, copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { BackendOpenError } from '../../../src/storage/backend/backend.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { checkLmdbFile } from '../../../src/storage/backend/lmdb-file-check.js';
import { makeTempDir, type TempDir, tempDir } from '../../support/temp-dir.js';

const PAGE = 4096;

describe('a damaged LMDB file', () => {
  let original: TempDir;
  let sound: string;

  beforeAll(async () => {
    original = await makeTempDir();
    sound = join(original.path, LMDB_FILE_NAME);
    const backend = await LmdbBackend.open({
      directory: original.path,
      clock: nodeClock,
      noSync: true,
    });
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 3000; n++) {
        const value = Buffer.alloc(n % 100 === 0 ? 20_000 : 300, 0x61);
        backend.put('key', Buffer.from(String(n).padStart(17, '0')), value);
        backend.put('lease', Buffer.from(String(n)), Buffer.alloc(round * 10));
      }
      await backend.commit();
    }
    // Without free pages, every page matters.
    await backend.defragment();
    await backend.close();
  });

  afterAll(() => original.remove());

  /** Copies the sound file, damages the copy, and returns why it cannot be opened. */
  async function reasonAfter(damage: (path: string) => Promise<void>): Promise<string> {
    const directory = await tempDir();
    const path = join(directory, LMDB_FILE_NAME);
    await copyFile(sound, path);
    await damage(path);
    try {
      const backend = await LmdbBackend.open({ directory, clock: nodeClock });
      await backend.close();
    } catch (error) {
      expect(error).toBeInstanceOf(BackendOpenError);
      expect((error as BackendOpenError).path).toBe(path);
      return (error as BackendOpenError).reason;
    }
    return 'none';
  }

  async function overwrite(path: string, position: number, bytes: Buffer): Promise<void> {
    const file = await open(path, 'r+');
    await file.write(bytes, 0, bytes.length, position);
    await file.close();
  }

  it('passes when it is sound', async () => {
    expect(await checkLmdbFile(nodeFs, sound)).toBe(true);
    expect(await checkLmdbFile(nodeFs, `${sound}.absent`)).toBe(false);
    expect(await reasonAfter(async () => {})).toBe('none');
  });

  it('is told when truncated anywhere', async () => {
    const { length } = await readFile(sound);
    for (const kept of [1, 100, PAGE, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE, length >> 1]) {
      expect(await reasonAfter((path) => truncate(path, kept))).toMatch(/shorter|truncated/);
    }
  });

  it('is told when it is of another kind', async () => {
    expect(await reasonAfter((path) => writeFile(path, Buffer.alloc(10 * PAGE)))).toMatch(/mark/);
    expect(await reasonAfter((path) => writeFile(path, Buffer.alloc(PAGE * 4, 'etcd')))).toMatch(
      /mark/,
    );
  });

  it('is told when a meta page is damaged', async () => {
    expect(await reasonAfter((path) => overwrite(path, 0, Buffer.alloc(PAGE)))).toMatch(/page 0/);
    expect(await reasonAfter((path) => overwrite(path, PAGE, Buffer.alloc(PAGE, 255)))).toMatch(
      /page 1/,
    );
    const version = Buffer.from([9, 0, 0, 0]);
    expect(await reasonAfter((path) => overwrite(path, 28, version))).toMatch(/format 9/);
    const sixteen = Buffer.from([0, 0x40, 0, 0]);
    expect(await reasonAfter((path) => overwrite(path, 48, sixteen))).toMatch(/16384 bytes/);
  });

  /** Pages with this kind in their flags. */
  async function pagesOfKind(kind: number): Promise<number[]> {
    const bytes = await readFile(sound);
    const pages: number[] = [];
    for (let page = 2; (page + 1) * PAGE <= bytes.length; page++) {
      const at = page * PAGE;
      if (bytes.readUInt32LE(at) === page && bytes.readUInt16LE(at + 18) === kind) {
        pages.push(page);
      }
    }
    return pages;
  }

  it('is told when any branch page is zeroed or garbled', async () => {
    const pages = await pagesOfKind(1);
    expect(pages.length).toBeGreaterThan(2);
    for (const page of pages) {
      for (const fill of [0, 0xa5]) {
        const reason = await reasonAfter((path) =>
          overwrite(path, page * PAGE, Buffer.alloc(PAGE, fill)),
        );
        expect(reason).toMatch(new RegExp(`page ${page} is not the branch`));
      }
    }
  });

  it('is told when a leaf page is zeroed, if the whole file is checked', async () => {
    expect(await checkLmdbFile(nodeFs, sound, { leaves: true })).toBe(true);
    const pages = await pagesOfKind(2);
    expect(pages.length).toBeGreaterThan(100);
    const path = join(await tempDir(), LMDB_FILE_NAME);
    for (const page of pages.slice(-10)) {
      await copyFile(sound, path);
      await overwrite(path, page * PAGE, Buffer.alloc(PAGE));
      await expect(checkLmdbFile(nodeFs, path, { leaves: true })).rejects.toThrow(
        new RegExp(`page ${page} is not the leaf it should be .offset ${page * PAGE}.`),
      );
    }
  });

  it('is told when it is a directory or may not be read', async () => {
    const directory = await tempDir();
    await expect(
      LmdbBackend.open({ directory: join(directory, 'absent'), clock: nodeClock }),
    ).rejects.toThrow(/directory does not exist/);
    await mkdir(join(directory, LMDB_FILE_NAME));
    await expect(LmdbBackend.open({ directory, clock: nodeClock })).rejects.toThrow(/a directory/);
    if (process.getuid?.() !== 0) {
      expect(await reasonAfter((path) => chmod(path, 0))).toMatch(/EACCES/);
    }
  });
});
