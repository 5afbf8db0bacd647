import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/platform/clock.js';
import type { Fs } from '../../../src/platform/fs.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import type { Backend, BackendSnapshot, RowBatch } from '../../../src/storage/backend/backend.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { createLmdbDatabase } from '../../../src/storage/backend/lmdb-builder.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';
import { snapshotRows } from '../../../src/storage/backend/row-source.js';
import { tempDir } from '../../support/temp-dir.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

const get = (view: Backend | BackendSnapshot, key: string): string | undefined =>
  view.get('key', bytes(key))?.toString('latin1');

const all = (view: Backend | BackendSnapshot): string =>
  [...view.range('key', bytes('\x00'))].map(([key, value]) => `${key}=${value}`).join(' ');

function batch(bucket: RowBatch['bucket'], ...rows: [string, string][]): RowBatch {
  return { bucket, rows: rows.map(([key, value]) => [bytes(key), bytes(value)]) };
}

/** A source that waits between its batches, and calls back there. */
async function* slowly(
  batches: readonly RowBatch[],
  between: () => void = () => {},
): AsyncGenerator<RowBatch> {
  for (const each of batches) {
    await nextTurn();
    between();
    yield each;
  }
}

const NEW = [
  batch('key', ['a', 'new'], ['c', 'new']),
  batch('meta', ['consistent_index', '7']),
  batch('key', ['d', '']),
];

type Open = (clock: Clock) => Promise<Backend>;

const stores: [string, () => Promise<Open>][] = [
  [
    'MemoryBackend',
    async () => {
      const disk = new MemoryDisk();
      return async (clock) => new MemoryBackend({ clock, disk });
    },
  ],
  [
    'LmdbBackend',
    async () => {
      const directory = await tempDir();
      return (clock) => LmdbBackend.open({ clock, directory, noSync: true });
    },
  ],
];

describe.each(stores)('replacing the contents of a %s', (_name, makeStore) => {
  it('shows the old contents until the new ones are whole, then those alone', async () => {
    const open = await makeStore();
    const backend = await open(new ManualClock());
    backend.put('key', bytes('a'), bytes('old'));
    backend.put('key', bytes('b'), bytes('old'));
    backend.put('lease', bytes('l'), bytes('old'));
    await backend.commit();
    const seen: (string | undefined)[] = [];
    let adopted = '';
    await backend.replaceWith(
      slowly(NEW, () => {
        seen.push(get(backend, 'b'));
        backend.put('key', bytes('e'), bytes('lost'));
      }),
      () => {
        adopted = all(backend);
      },
    );
    expect(seen).toEqual(['old', 'old', 'old']);
    expect(adopted).toBe('a=new c=new d=');
    expect(all(backend)).toBe(adopted);
    expect(backend.get('lease', bytes('l'))).toBeUndefined();
    backend.put('key', bytes('f'), bytes('later'));
    await backend.close();
    const again = await open(new ManualClock());
    expect(all(again)).toBe('a=new c=new d= f=later');
    await again.close();
  });

  it('keeps what the hook would write for the old contents out of the new ones', async () => {
    const open = await makeStore();
    const clock = new ManualClock();
    const backend = await open(clock);
    let index = '3';
    backend.setPreCommitHook(() => backend.put('meta', bytes('consistent_index'), bytes(index)));
    backend.put('key', bytes('a'), bytes('old'));
    await backend.replaceWith(slowly(NEW), () => {
      // A commit that fell due for the old contents must not come any more.
      clock.advance(1000);
      const row = backend.get('meta', bytes('consistent_index'));
      index = row?.toString() ?? '';
    });
    await backend.commit();
    expect(backend.get('meta', bytes('consistent_index'))?.toString()).toBe('7');
    await backend.close();
  });

  it('leaves open snapshots readable', async () => {
    const open = await makeStore();
    const backend = await open(new ManualClock());
    backend.put('key', bytes('a'), bytes('old'));
    const snapshot = await backend.snapshot();
    await backend.replaceWith(NEW);
    expect(all(snapshot)).toBe('a=old');
    const newer = await backend.snapshot();
    snapshot.close();
    expect(all(newer)).toBe('a=new c=new d=');
    newer.close();
    await backend.close();
  });

  it('keeps the old contents, and goes on, if the source fails or is in no order', async () => {
    const open = await makeStore();
    const backend = await open(new ManualClock());
    backend.put('key', bytes('a'), bytes('old'));
    const torn = async function* (): AsyncGenerator<RowBatch> {
      yield* NEW;
      throw new Error('the stream broke off');
    };
    await expect(backend.replaceWith(torn())).rejects.toThrow('the stream broke off');
    const unordered = [...NEW, batch('key', ['b', 'too late'])];
    await expect(backend.replaceWith(unordered)).rejects.toThrow('not in the order of their keys');
    await expect(backend.replaceWith([batch('key', ['k'.repeat(2000), ''])])).rejects.toThrow(
      RangeError,
    );
    expect(all(backend)).toBe('a=old');
    await backend.commit();
    await backend.close();
    const again = await open(new ManualClock());
    expect(all(again)).toBe('a=old');
    await again.close();
  });

  it('commits no more if the new contents were not adopted', async () => {
    const open = await makeStore();
    const backend = await open(new ManualClock());
    const refuse = (): never => {
      throw new Error('of another cluster');
    };
    await expect(backend.replaceWith(NEW, refuse)).rejects.toThrow('of another cluster');
    await expect(backend.commit()).rejects.toThrow('of another cluster');
    await expect(backend.close()).rejects.toThrow('of another cluster');
  });

  it('takes over the contents of another backend', async () => {
    const open = await makeStore();
    const other = new MemoryBackend();
    for (let n = 0; n < 5000; n++) other.put('key', bytes(String(n).padStart(8, '0')), bytes('v'));
    other.put('authUsers', bytes('root'), bytes('user'));
    const backend = await open(new ManualClock());
    const snapshot = await other.snapshot();
    await backend.replaceWith(snapshotRows(snapshot));
    expect(all(backend)).toBe(all(snapshot));
    expect(backend.get('authUsers', bytes('root'))?.toString()).toBe('user');
    expect(backend.size().inUse).toBeGreaterThan(0);
    await backend.close();
    await other.close();
  });
});

describe('replacing an LMDB file', () => {
  /** Fails, as a disk would, whatever is asked for once `at` says so. */
  function failingFs(at: (operation: string, path: string) => boolean): Fs {
    const check = (operation: string, path: string): void => {
      if (at(operation, path)) throw new Error(`no ${operation} today`);
    };
    return {
      ...nodeFs,
      open: (path, options) => nodeFs.open(path, options),
      stat: (path) => nodeFs.stat(path),
      remove: (path) => nodeFs.remove(path),
      rename: async (from, to) => {
        check('rename', to);
        await nodeFs.rename(from, to);
      },
      syncDirectory: async (path) => {
        check('sync', path);
        await nodeFs.syncDirectory(path);
      },
    };
  }

  it('keeps the old file if the new one cannot take its place', async () => {
    const directory = await tempDir();
    const fs = failingFs((operation, path) => operation === 'rename' && path.endsWith('lmdb'));
    const backend = await LmdbBackend.open({ clock: new ManualClock(), directory, fs });
    backend.put('key', bytes('a'), bytes('old'));
    await expect(backend.replaceWith(NEW)).rejects.toThrow('no rename today');
    expect(all(backend)).toBe('a=old');
    await backend.close();
    expect(await readdir(directory)).toEqual([LMDB_FILE_NAME, `${LMDB_FILE_NAME}-lock`]);
    const again = await LmdbBackend.open({ clock: new ManualClock(), directory });
    expect(all(again)).toBe('a=old');
    await again.close();
  });

  it('commits no more if a power failure could bring the old file back', async () => {
    const directory = await tempDir();
    let isBroken = false;
    const fatal: Error[] = [];
    const backend = await LmdbBackend.open({
      clock: new ManualClock(),
      directory,
      fs: failingFs((operation) => isBroken && operation === 'sync'),
      onFatal: (error) => fatal.push(error),
    });
    isBroken = true;
    await expect(backend.replaceWith(NEW)).rejects.toThrow('no sync today');
    expect(fatal).toHaveLength(1);
    await expect(backend.commit()).rejects.toThrow('no sync today');
    await expect(backend.close()).rejects.toThrow('no sync today');
  });

  it('waits for a defragmentation, and makes one wait', async () => {
    const directory = await tempDir();
    const backend = await LmdbBackend.open({ clock: new ManualClock(), directory, noSync: true });
    backend.put('key', bytes('a'), bytes('old'));
    await Promise.all([
      backend.defragment(),
      backend.replaceWith(slowly(NEW)),
      backend.defragment(),
      backend.replaceWith([batch('key', ['z', 'last'])]),
    ]);
    expect(all(backend)).toBe('z=last');
    await backend.close();
  });

  it('removes at the next start what a crash has left half-built', async () => {
    const directory = await tempDir();
    await writeFile(join(directory, `${LMDB_FILE_NAME}.new`), 'half a file');
    await writeFile(join(directory, `${LMDB_FILE_NAME}.new-lock`), '');
    const backend = await LmdbBackend.open({ clock: new ManualClock(), directory });
    await backend.close();
    expect(await readdir(directory)).toEqual([LMDB_FILE_NAME, `${LMDB_FILE_NAME}-lock`]);
  });
});

describe('making an LMDB file of a source', () => {
  it('makes a file that a backend opens, larger than one transaction', async () => {
    const directory = await tempDir();
    const path = join(directory, LMDB_FILE_NAME);
    const batches = Array.from({ length: 120 }, (_, n) =>
      batch(
        'key',
        ...Array.from({ length: 1000 }, (_, m): [string, string] => [
          String(n * 1000 + m).padStart(8, '0'),
          'value'.repeat(n % 40),
        ]),
      ),
    );
    await createLmdbDatabase(nodeFs, path, batches);
    expect(await readdir(directory)).toEqual([LMDB_FILE_NAME]);
    await expect(createLmdbDatabase(nodeFs, path, [])).rejects.toThrow('it exists already');
    const options = { clock: new ManualClock(), directory, checkWholeFile: true };
    const backend = await LmdbBackend.open(options);
    let count = 0;
    for (const [key, value] of backend.range('key', bytes('\x00'))) {
      expect(Number(key.toString())).toBe(count);
      expect(value.length).toBe((Math.floor(count / 1000) % 40) * 5);
      count++;
    }
    expect(count).toBe(120_000);
    backend.put('key', bytes('00000000'), bytes('changed'));
    await backend.close();
  });

  it('leaves nothing of a source that fails', async () => {
    const directory = await tempDir();
    const path = join(directory, LMDB_FILE_NAME);
    const unordered = [batch('key', ['b', '']), batch('key', ['a', ''])];
    await expect(createLmdbDatabase(nodeFs, path, unordered)).rejects.toThrow('order');
    expect(await readdir(directory)).toEqual([]);
  });
});
