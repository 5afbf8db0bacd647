import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import type { BackendSnapshot } from '../../../src/storage/backend/backend.js';
import { MAX_BUFFERED_OPERATIONS } from '../../../src/storage/backend/commit-queue.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { MAX_SNAPSHOTS } from '../../../src/storage/backend/lmdb-environment.js';
import { checkLmdbFile } from '../../../src/storage/backend/lmdb-file-check.js';
import { makeTempDir, tempDir } from '../../support/temp-dir.js';
import { describeBackend } from './suite.js';

describeBackend('LmdbBackend', async () => {
  const directory = await makeTempDir();
  return {
    open: (options) => LmdbBackend.open({ ...options, directory: directory.path, noSync: true }),
    destroy: () => directory.remove(),
  };
});

const rowKey = (n: number): Buffer => Buffer.from(String(n).padStart(8, '0'));

function putRows(backend: LmdbBackend, from: number, to: number, bytes = 100): void {
  for (let n = from; n < to; n++) {
    backend.put('key', rowKey(n), Buffer.alloc(bytes, n % 251));
  }
}

describe('LmdbBackend', () => {
  it('commits durably on a real clock, in one file that only its owner reads', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock, batchIntervalMillis: 1 });
    await new Promise<void>((resolve) => {
      backend.setPreCommitHook(resolve);
      putRows(backend, 0, 10);
    });
    backend.setPreCommitHook(() => {});
    await backend.commit();
    await backend.close();
    expect((await readdir(directory)).sort()).toEqual([LMDB_FILE_NAME, `${LMDB_FILE_NAME}-lock`]);
    expect((await stat(join(directory, LMDB_FILE_NAME))).mode & 0o777).toBe(0o600);
  });

  it('observes commits and sizes', async () => {
    const directory = await tempDir();
    const seconds: number[] = [];
    let allocated = 0;
    let inUse = 0;
    const gauge = (set: (value: number) => void) => ({ set, inc: () => {}, dec: () => {} });
    const backend = await LmdbBackend.open({
      directory,
      clock: nodeClock,
      metrics: {
        commitSeconds: { observe: (value) => seconds.push(value) },
        allocatedBytes: gauge((value) => {
          allocated = value;
        }),
        inUseBytes: gauge((value) => {
          inUse = value;
        }),
      },
    });
    putRows(backend, 0, 1000);
    await backend.commit();
    expect(seconds).toHaveLength(1);
    expect(seconds[0]).toBeGreaterThan(0);
    expect({ allocated, inUse }).toEqual(backend.size());
    await backend.close();
    // LMDB's own account of its pages agrees with the file.
    expect((await stat(join(directory, LMDB_FILE_NAME))).size).toBe(allocated);
  });

  it('keeps a snapshot steady while the file grows many times over', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock, noSync: true });
    putRows(backend, 0, 1000);
    const snapshot = await backend.snapshot();
    for (let round = 1; round <= 20; round++) {
      putRows(backend, 0, 1000, 1000 + round);
      putRows(backend, round * 1000, (round + 1) * 1000, 1000);
      await backend.commit();
    }
    let rows = 0;
    for (const [key, value] of snapshot.range('key', rowKey(0))) {
      expect(value.equals(Buffer.alloc(100, Number(key.toString()) % 251))).toBe(true);
      rows++;
    }
    expect(rows).toBe(1000);
    snapshot.close();
    await backend.close();
  });

  it('ends snapshots and iterations that are still open when it closes', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock, noSync: true });
    putRows(backend, 0, 100);
    await backend.commit();
    const snapshot = await backend.snapshot();
    const ofSnapshot = snapshot.range('key', rowKey(0))[Symbol.iterator]();
    const ofBackend = backend.range('key', rowKey(0))[Symbol.iterator]();
    ofSnapshot.next();
    ofBackend.next();
    await backend.close();
    expect(() => ofSnapshot.next()).toThrow(/closed/);
    expect(() => ofBackend.next()).toThrow(/closed/);
    expect(() => snapshot.get('key', rowKey(0))).toThrow(/closed/);
    snapshot.close();
  });

  it('fails one snapshot too many, not the backend', { timeout: 30_000 }, async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock, noSync: true });
    const open: BackendSnapshot[] = [];
    let refused: unknown;
    // Each needs a transaction of its own, as the state changes in between.
    for (let n = 0; refused === undefined; n++) {
      putRows(backend, n, n + 1);
      await backend.snapshot().then(
        (snapshot) => open.push(snapshot),
        (error: unknown) => {
          refused = error;
        },
      );
    }
    expect(String(refused)).toMatch(/500 snapshots/);
    expect(open).toHaveLength(MAX_SNAPSHOTS);
    for (const snapshot of open) {
      snapshot.close();
    }
    const snapshot = await backend.snapshot();
    expect([...snapshot.range('key', rowKey(0))]).toHaveLength(open.length + 1);
    snapshot.close();
    await backend.close();
  });

  it('takes a failing hook for a failed commit', async () => {
    const directory = await tempDir();
    const errors: Error[] = [];
    const backend = await LmdbBackend.open({
      directory,
      clock: new ManualClock(),
      noSync: true,
      onFatal: (error) => errors.push(error),
    });
    backend.setPreCommitHook(() => {
      throw new Error('no index');
    });
    putRows(backend, 0, 5);
    await expect(backend.commit()).rejects.toThrow('no index');
    await expect(backend.commit()).rejects.toThrow('no index');
    await expect(backend.snapshot()).rejects.toThrow('no index');
    await expect(backend.defragment()).rejects.toThrow('no index');
    expect([...backend.range('key', rowKey(0))]).toHaveLength(5);
    await expect(backend.close()).rejects.toThrow('no index');
    expect(errors).toHaveLength(1);
  });

  it('asks writers to wait when commits do not keep up', async () => {
    const directory = await tempDir();
    const clock = new ManualClock();
    const backend = await LmdbBackend.open({ directory, clock, noSync: true });
    putRows(backend, 0, 10, 10);
    expect(backend.backpressure()).toBeUndefined();
    putRows(backend, 0, MAX_BUFFERED_OPERATIONS, 10);
    const relief = backend.backpressure();
    expect(relief).toBeInstanceOf(Promise);
    expect(backend.backpressure()).toBe(relief);
    clock.advance(0);
    await relief;
    expect(backend.backpressure()).toBeUndefined();
    await backend.close();
  });
});

describe('defragmentation', () => {
  it('lets snapshots, reads and writes go on', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock, noSync: true });
    putRows(backend, 0, 5000);
    await backend.commit();
    const snapshot = await backend.snapshot();
    const steady = snapshot.range('key', rowKey(0))[Symbol.iterator]();
    steady.next();
    for (let n = 100; n < 5000; n++) {
      backend.delete('key', rowKey(n));
    }
    const first = backend.defragment();
    const second = backend.defragment();
    putRows(backend, 9000, 9100);
    const committed = backend.commit();
    const during = backend.snapshot();
    expect([...backend.range('key', rowKey(0))]).toHaveLength(200);
    await Promise.all([first, second, committed]);
    expect([...(await during).range('key', rowKey(0))]).toHaveLength(200);
    let rows = 1;
    while (!steady.next().done) {
      rows++;
    }
    expect(rows).toBe(5000);
    snapshot.close();
    await backend.defragment();
    (await during).close();
    await backend.close();
    expect((await readdir(directory)).sort()).toEqual([LMDB_FILE_NAME, `${LMDB_FILE_NAME}-lock`]);
    const again = await LmdbBackend.open({ directory, clock: nodeClock });
    expect([...again.range('key', rowKey(0))]).toHaveLength(200);
    await again.close();
  });

  it.each([
    ['at once', false],
    ['after a restart', true],
  ])('takes a commit that frees many pages %s', { timeout: 60_000 }, async (_when, restarts) => {
    const rows = 20_000;
    const directory = await tempDir();
    const open = () => LmdbBackend.open({ directory, clock: nodeClock, noSync: true });
    const before = await open();
    putRows(before, 0, rows);
    await before.commit();
    await before.defragment();
    if (restarts) await before.close();
    const backend = restarts ? await open() : before;
    for (let n = 0; n < rows; n += 3) backend.delete('key', rowKey(n));
    await backend.commit();
    putRows(backend, 0, rows);
    await backend.commit();
    expect([...backend.range('key', rowKey(0))]).toHaveLength(rows);
    expect([...backend.range('meta', Buffer.alloc(1))]).toEqual([]);
    await backend.close();
    await checkLmdbFile(nodeFs, join(directory, LMDB_FILE_NAME), { leaves: true });
  });

  it('closes while a snapshot of a replaced file is open', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ directory, clock: nodeClock, noSync: true });
    putRows(backend, 0, 10);
    const snapshot = await backend.snapshot();
    await backend.defragment();
    await backend.close();
    expect(() => snapshot.get('key', rowKey(0))).toThrow(/closed/);
  });

  it('goes on with the old file if the new one cannot be put in place', async () => {
    const directory = await tempDir();
    let failing = true;
    const backend = await LmdbBackend.open({
      directory,
      clock: nodeClock,
      noSync: true,
      fs: {
        ...nodeFs,
        rename: (from, to) =>
          failing ? Promise.reject(new Error('no rename today')) : nodeFs.rename(from, to),
      },
    });
    putRows(backend, 0, 100);
    await expect(backend.defragment()).rejects.toThrow('no rename today');
    expect((await readdir(directory)).sort()).toEqual([LMDB_FILE_NAME, `${LMDB_FILE_NAME}-lock`]);
    putRows(backend, 100, 200);
    await backend.commit();
    failing = false;
    await backend.defragment();
    expect([...backend.range('key', rowKey(0))]).toHaveLength(200);
    await backend.close();
  });

  it('removes at the next start what a crash left of it', async () => {
    const directory = await tempDir();
    await writeFile(join(directory, 'db.lmdb.defragment'), 'half a file');
    await writeFile(join(directory, 'db.lmdb.defragment-lock'), '');
    const backend = await LmdbBackend.open({ directory, clock: nodeClock });
    putRows(backend, 0, 1);
    await backend.defragment();
    await backend.close();
    expect((await readdir(directory)).sort()).toEqual([LMDB_FILE_NAME, `${LMDB_FILE_NAME}-lock`]);
  });
});
