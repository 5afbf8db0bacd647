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
const RUN_BYTES = 32 * 1024 * 1024;
/** What an entry takes in memory besides its key and its value's hash. */
const ENTRY_OVERHEAD_BYTES = 400;
const READ_BYTES = 256 * 1024;
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
  /** SHA-256. */
  readonly valueHash: Buffer;
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
  const runs: Run[] = [];
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
        runs.push(await Run.write(fs, join(temporary, `run-${runs.length}`), inOrder(open)));
        open = new Map();
        bytes = 0;
      }
      return open;
    });
    const sources = [...runs.map((run) => run.read()), eachOf(inOrder(rest))];
    for await (const entry of merged(sources)) if (!entry.isDeleted) yield entry;
  } finally {
    for (const run of runs) await run.remove();
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
    valueHash: createHash('sha256').update(bytes).digest(),
    valueBytes: bytes.length,
    isDeleted: isTombstoneKey(rowKey),
  };
}

function inOrder(rows: ReadonlyMap<KeyText, LastRow>): LastRow[] {
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function* eachOf(rows: readonly LastRow[]): AsyncGenerator<LastRow> {
  yield* rows;
}

/** Merges sorted sources; of one key that of the last source counts, which is the newest. */
async function* merged(sources: readonly AsyncGenerator<LastRow>[]): AsyncGenerator<LastRow> {
  const heads = await Promise.all(sources.map(async (source) => (await source.next()).value));
  for (;;) {
    let least: KeyText | undefined;
    for (const head of heads) {
      if (head !== undefined && (least === undefined || head.key < least)) least = head.key;
    }
    if (least === undefined) return;
    let newest: LastRow | undefined;
    for (const [index, head] of heads.entries()) {
      if (head?.key !== least) continue;
      newest = head;
      heads[index] = (await sources[index]?.next())?.value;
    }
    if (newest !== undefined) yield newest;
  }
}

/** Sorted rows in a file. */
class Run {
  readonly #fs: Fs;
  readonly #path: string;

  private constructor(fs: Fs, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  static async write(fs: Fs, path: string, rows: readonly LastRow[]): Promise<Run> {
    const file = await fs.open(path, { write: true, create: true, truncate: true });
    try {
      let waiting: Buffer[] = [];
      let waitingBytes = 0;
      let written = 0;
      const flush = async () => {
        await file.write(waiting, written);
        written += waitingBytes;
        waiting = [];
        waitingBytes = 0;
      };
      for (const row of rows) {
        const record = encode(row);
        waiting.push(record);
        waitingBytes += record.length;
        if (waitingBytes >= READ_BYTES) await flush();
      }
      await flush();
    } finally {
      await file.close();
    }
    return new Run(fs, path);
  }

  async *read(): AsyncGenerator<LastRow> {
    const file = await this.#fs.open(this.#path, { read: true });
    try {
      yield* records(file);
    } finally {
      await file.close();
    }
  }

  remove(): Promise<void> {
    return this.#fs.remove(this.#path);
  }
}

async function* records(file: FileHandle): AsyncGenerator<LastRow> {
  let position = 0;
  let buffer = Buffer.alloc(0);
  for (;;) {
    const keyBytes = buffer.length < HEADER_BYTES ? 0 : buffer.readUInt32LE(HEADER_BYTES - 4);
    if (buffer.length >= HEADER_BYTES + keyBytes) {
      yield decode(buffer, keyBytes);
      buffer = buffer.subarray(HEADER_BYTES + keyBytes);
      continue;
    }
    const more = await file.read(position, READ_BYTES);
    if (more.length === 0) return;
    position += more.length;
    buffer = Buffer.concat([buffer, more]);
  }
}

function encode(row: LastRow): Buffer {
  const record = Buffer.alloc(HEADER_BYTES + row.key.length);
  row.valueHash.copy(record);
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
    valueHash: Buffer.from(record.subarray(0, HASH_BYTES)),
    createRevision: record.readDoubleLE(at),
    modRevision: record.readDoubleLE(at + 8),
    version: record.readDoubleLE(at + 16),
    lease: record.readBigInt64LE(at + 24),
    valueBytes: record.readUInt32LE(at + 32),
    isDeleted: record.readUInt8(at + 36) === 1,
    key: record.toString('latin1', HEADER_BYTES, HEADER_BYTES + keyBytes),
  };
}
