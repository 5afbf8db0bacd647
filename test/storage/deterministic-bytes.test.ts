import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FileHandle, Fs } from '../../src/platform/fs.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import type { EntryFields } from '../../src/proto/hot/entry.js';
import type { Row } from '../../src/storage/backend/backend.js';
import { streamBboltFile } from '../../src/storage/bbolt/stream-file.js';
import { writeBboltFile } from '../../src/storage/bbolt/write-file.js';
import { encodeSnapshotFile } from '../../src/storage/snap/snapshot-file.js';
import { sourceOf } from './bbolt/images.js';
import { createWriter, entry, fileBytes, state, VOTERS, WAL } from './wal/support.js';

const LENGTHS = [0, 1, 5, 60, 127, 128, 900, 4060, 16_383, 16_384, 70_000];

/** Fills all new memory that comes as it is with one byte. */
function litter(byte: number): void {
  vi.spyOn(Buffer, 'allocUnsafe').mockImplementation((size) => Buffer.alloc(size, byte));
  vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => Buffer.alloc(size, byte));
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** A disk that looks at what it shall write a while after it was told, as a thread pool does. */
function lateDisk(fs: MemoryFs): Fs {
  const open: Fs['open'] = async (path, options) => {
    const file = await fs.open(path, options);
    const write: FileHandle['write'] = async (buffers, position, writeOptions) => {
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      await file.write(buffers, position, writeOptions);
    };
    return new Proxy(file, {
      get(target, name) {
        if (name === 'write') return write;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return new Proxy<Fs>(fs, {
    get(target, name) {
      if (name === 'open') return open;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function someEntries(seed: number): EntryFields[] {
  const random = seededRandom(seed);
  return Array.from({ length: 60 }, (_, at) => {
    const length = LENGTHS[random.integer(LENGTHS.length)] ?? 0;
    return entry(at + 1, Buffer.alloc(length, `${at}.`));
  });
}

function someRows(seed: number): Row[] {
  const random = seededRandom(seed);
  return Array.from({ length: 400 }, (_, at) => {
    const length = LENGTHS[random.integer(LENGTHS.length)] ?? 0;
    return [Buffer.from(`${at}`.padStart(1 + random.integer(30), '0')), Buffer.alloc(length, at)];
  });
}

const ROWS = someRows(3).sort(([a], [b]) => Buffer.compare(a, b));
const UNIQUE_ROWS = ROWS.filter(([key], at) => at === 0 || !ROWS[at - 1]?.[0].equals(key));

/** To compare megabytes byte by byte takes the test runner a minute. */
function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}

async function digestOf(fs: Fs, path: string): Promise<string> {
  return digest(await fileBytes(fs, path));
}

async function logFiles(disk: (fs: MemoryFs) => Fs): Promise<string> {
  const memory = new MemoryFs({ tracked: false });
  const writer = await createWriter(disk(memory));
  const entries = someEntries(1);
  const saves: Promise<void>[] = [];
  // All at once: what comes while the disk works must not get into what it works at.
  for (let at = 0; at < entries.length; at += 3) {
    saves.push(writer.save(state(1, at), entries.slice(at, at + 3)));
    if (at % 15 === 0) {
      saves.push(writer.saveSnapshot({ index: at + 1, term: 1, confState: VOTERS }));
    }
  }
  await Promise.all(saves);
  await writer.close();
  const files: string[] = [];
  for (const name of await memory.readDirectory(WAL)) {
    files.push(`${name} ${await digestOf(memory, `${WAL}/${name}`)}`);
  }
  return files.join('\n');
}

async function imageFile(disk: (fs: MemoryFs) => Fs): Promise<string> {
  const memory = new MemoryFs({ tracked: false });
  const source = sourceOf({ alarm: [], key: UNIQUE_ROWS, meta: UNIQUE_ROWS.slice(0, 3) });
  await writeBboltFile(disk(memory), '/db', source, { storeFreelist: true });
  return digestOf(memory, '/db');
}

async function streamedFile(disk: (fs: MemoryFs) => Fs): Promise<string> {
  const memory = new MemoryFs({ tracked: false });
  async function* rows(): AsyncGenerator<readonly Row[]> {
    for (let at = 0; at < UNIQUE_ROWS.length; at += 7) yield UNIQUE_ROWS.slice(at, at + 7);
  }
  async function* buckets() {
    yield { name: 'key', rows };
  }
  await streamBboltFile(disk(memory), '/db', buckets());
  return digestOf(memory, '/db');
}

async function snapFile(): Promise<string> {
  const data = Buffer.alloc(300, 'v2');
  return digest(encodeSnapshotFile({ data, index: 300, term: 2, confState: VOTERS }));
}

describe.each([
  ['a log', logFiles],
  ['a bbolt file', imageFile],
  ['a bbolt file that is written in one go', streamedFile],
  ['a snap file', snapFile],
])('%s', (_name, write: (disk: (fs: MemoryFs) => Fs) => Promise<string>) => {
  it('has the same bytes whatever its memory held before', async () => {
    litter(0x00);
    const clean = await write((fs) => fs);
    litter(0xa5);
    expect(await write((fs) => fs)).toBe(clean);
  });

  it('has the same bytes when the disk takes them late', async () => {
    const expected = await write((fs) => fs);
    expect(await write(lateDisk)).toBe(expected);
  });
});
