import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { KeyText } from '../base/bytes.js';
import type { FileHandle, Fs } from '../platform/fs.js';
import { createRevisionOf, leaseOf, valueBytesOf, versionOf } from '../proto/hot/key-value.js';
import { isTombstoneKey, mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { readDatabase } from './database.js';
import { pageProgress } from './file-hash.js';
import { openKeyspace } from './keyspace.js';

/** Bytes of entries that are sorted in memory at a time; what is beyond goes to a file. */
const RUN_BYTES = 24 * 1024 * 1024;
/** What an entry takes in memory besides its key and its value's hash. */
const ENTRY_OVERHEAD_BYTES = 400;
const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 64 * 1024;
/** Hash 32, revisions and version 3 × 8, lease 8, length of the value 4, deleted 1, length of the key 4. */
const HEADER_BYTES = 32 + 24 + 8 + 4 + 1 + 4;
const HASH_BYTES = 32;

/** A key as a read sees it, without its value. */
export interface LiveEntry {
  readonly key: KeyText;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: bigint;
  /** SHA-256, Latin-1. */
  readonly valueHash: string;
  readonly valueBytes: number;
}

/** The last row of a key so far. */
interface LastRow extends LiveEntry {
  readonly isDeleted: boolean;
}

export interface LiveEntriesOptions {
  /** Where runs are kept meanwhile: a directory that nobody else uses. */
  readonly temporary: string;
  readonly runBytes?: number;
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
}

/**
 * Keys of a database in their order, with what a read at the current revision says of each. Memory
 * is bounded: the file holds revisions in order, so keys are sorted in runs, which are merged.
 * @throws what readDatabase throws, DatabaseRowError
 */
export async function* liveEntries(
  fs: Fs,
  path: string,
  { temporary, runBytes = RUN_BYTES, onProgress }: LiveEntriesOptions,
): AsyncGenerator<LiveEntry> {
  const runs: FileRun[] = [];
  try {
    const rest = await readDatabase(fs, path, async (database) => {
      const { bucket, userKeyOf } = await openKeyspace(database);
      let open = new Map<KeyText, LastRow>();
      let bytes = 0;
      if (bucket === undefined) return open;
      for await (const rows of bucket.rows({ visit: pageProgress(database, onProgress) })) {
        for (const row of rows) {
          const entry = lastRow(userKeyOf(row).toString('latin1'), row);
          if (!open.has(entry.key)) bytes += entry.key.length + ENTRY_OVERHEAD_BYTES;
          open.set(entry.key, entry);
        }
        if (bytes < runBytes) continue;
        runs.push(await FileRun.write(fs, join(temporary, `run-${runs.length}`), inOrder(open)));
        open = new Map();
        bytes = 0;
      }
      return open;
    });
    yield* merged([...runs, new MemoryRun(inOrder(rest))]);
  } finally {
    for (const run of runs) await run.close();
  }
}

function lastRow(key: KeyText, [rowKey, value]: readonly [Buffer, Buffer]): LastRow {
  const bytes = valueBytesOf(value);
  return {
    key,
    createRevision: createRevisionOf(value),
    modRevision: mainRevisionOf(rowKey),
    version: versionOf(value),
    lease: leaseOf(value),
    valueHash: createHash('sha256').update(bytes).digest().toString('latin1'),
    valueBytes: bytes.length,
    isDeleted: isTombstoneKey(rowKey),
  };
}

function inOrder(rows: ReadonlyMap<KeyText, LastRow>): LastRow[] {
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Sorted rows, of which one at a time is in view. */
interface Run {
  /** The first that was not passed; undefined at the end. */
  readonly head: LastRow | undefined;
  /** Goes on to the next; a promise if that has to be read first. */
  advance(): Promise<void> | undefined;
}

/** Merges sorted runs; of one key that of the last run counts, which is the newest. */
async function* merged(runs: readonly Run[]): AsyncGenerator<LiveEntry> {
  const order = new Map(runs.map((run, index) => [run, index]));
  const isBefore = (left: Run, right: Run): boolean => {
    const [a, b] = [left.head?.key ?? '', right.head?.key ?? ''];
    return a === b ? (order.get(left) ?? 0) < (order.get(right) ?? 0) : a < b;
  };
  const queue: Run[] = [];
  const proceed = async (run: Run): Promise<void> => {
    await run.advance();
    if (run.head !== undefined) queue.splice(placeOf(queue, run, isBefore), 0, run);
  };
  for (const run of runs) await proceed(run);
  for (let first = queue[0]; first?.head !== undefined; first = queue[0]) {
    const { key } = first.head;
    let newest = first.head;
    for (let run = queue[0]; run?.head?.key === key; run = queue[0]) {
      newest = run.head;
      queue.shift();
      await proceed(run);
    }
    if (!newest.isDeleted) yield newest;
  }
}

/** Where a run belongs in a sorted queue. */
function placeOf(
  queue: readonly Run[],
  run: Run,
  isBefore: (left: Run, right: Run) => boolean,
): number {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(queue[middle] as Run, run)) low = middle + 1;
    else high = middle;
  }
  return low;
}

class MemoryRun implements Run {
  readonly #rows: readonly LastRow[];
  #next = 0;
  head: LastRow | undefined;

  constructor(rows: readonly LastRow[]) {
    this.#rows = rows;
  }

  advance(): undefined {
    this.head = this.#rows[this.#next++];
  }
}

/** Sorted rows in a file, which is removed in the end. */
class FileRun implements Run {
  readonly #fs: Fs;
  readonly #file: FileHandle;
  #position = 0;
  #buffer = Buffer.alloc(0);
  head: LastRow | undefined;

  private constructor(fs: Fs, file: FileHandle) {
    this.#fs = fs;
    this.#file = file;
  }

  static async write(fs: Fs, path: string, rows: readonly LastRow[]): Promise<FileRun> {
    const options = { read: true, write: true, create: true, truncate: true };
    const file = await fs.open(path, options);
    let waiting: Buffer[] = [];
    let waitingBytes = 0;
    let written = 0;
    for (const [index, row] of rows.entries()) {
      const record = encode(row);
      waiting.push(record);
      waitingBytes += record.length;
      if (waitingBytes < WRITE_BYTES && index < rows.length - 1) continue;
      await file.write(waiting, written);
      written += waitingBytes;
      waiting = [];
      waitingBytes = 0;
    }
    return new FileRun(fs, file);
  }

  advance(): Promise<void> | undefined {
    return this.#decodeNext() ? undefined : this.#readNext();
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#fs.remove(this.#file.path);
  }

  async #readNext(): Promise<void> {
    for (;;) {
      const more = await this.#file.read(this.#position, READ_BYTES);
      if (more.length === 0) break;
      this.#position += more.length;
      this.#buffer = Buffer.concat([this.#buffer, more]);
      if (this.#decodeNext()) return;
    }
    this.head = undefined;
  }

  #decodeNext(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < HEADER_BYTES) return false;
    const bytes = HEADER_BYTES + buffer.readUInt32LE(HEADER_BYTES - 4);
    if (buffer.length < bytes) return false;
    this.head = decode(buffer, bytes - HEADER_BYTES);
    this.#buffer = buffer.subarray(bytes);
    return true;
  }
}

function encode(row: LastRow): Buffer {
  const record = Buffer.alloc(HEADER_BYTES + row.key.length);
  record.write(row.valueHash, 0, 'latin1');
  let at = HASH_BYTES;
  for (const number of [row.createRevision, row.modRevision, row.version]) {
    at = record.writeDoubleLE(number, at);
  }
  at = record.writeBigInt64LE(row.lease, at);
  at = record.writeUInt32LE(row.valueBytes, at);
  at = record.writeUInt8(row.isDeleted ? 1 : 0, at);
  at = record.writeUInt32LE(row.key.length, at);
  record.write(row.key, at, 'latin1');
  return record;
}

function decode(record: Buffer, keyBytes: number): LastRow {
  const at = HASH_BYTES;
  return {
    valueHash: record.toString('latin1', 0, HASH_BYTES),
    createRevision: record.readDoubleLE(at),
    modRevision: record.readDoubleLE(at + 8),
    version: record.readDoubleLE(at + 16),
    lease: record.readBigInt64LE(at + 24),
    valueBytes: record.readUInt32LE(at + 32),
    isDeleted: record.readUInt8(at + 36) === 1,
    key: record.toString('latin1', HEADER_BYTES, HEADER_BYTES + keyBytes),
  };
}
