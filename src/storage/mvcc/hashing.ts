import { keyText } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Clock } from '../../platform/clock.js';
import { keyOf } from '../../proto/hot/key-value.js';
import { type BackendSnapshot, BUCKETS, type Bucket } from '../backend/backend.js';
import { VisibleRevision } from './key-history.js';
import { type KeyIndex, lookUp } from './key-index.js';
import { type KeyValueHash, KeyValueHasher } from './kv-hasher.js';
import {
  encodeMainRevision,
  encodeRevisionKey,
  mainRevisionOf,
  subRevisionOf,
} from './revision-key.js';

/** Rows hashed in one turn of the event loop, unless they are large. */
const CHUNK_ROWS = 1000;
/** Bytes after which a turn ends earlier. */
const CHUNK_BYTES = 1024 * 1024;
/** Keys of the index looked at in one turn. */
const CHUNK_KEYS = 5000;

const LOWEST_KEY = Buffer.alloc(1);

/** Rows of `meta` that differ between members with the same state. */
const UNHASHED_META = new Set(['consistent_index', 'term', 'storageVersion']);

/** Whether the hash of a whole backend covers a row. */
export function isHashedRow(bucket: string, key: Buffer): boolean {
  return bucket !== 'meta' || !UNHASHED_META.has(key.toString('latin1'));
}

/**
 * Hashes the `key` bucket of a snapshot at `revision` (reference: semantics 3.8), yielding to the
 * event loop. Until it is done the index must not be compacted above `revision`.
 */
export async function hashKeyValues(
  snapshot: BackendSnapshot,
  index: KeyIndex,
  compactRevision: number,
  revision: number,
  clock: Clock,
): Promise<KeyValueHash> {
  // What is visible at the revision is what a compaction there would keep, tombstones aside. Asking
  // for each row saves a set of all of them.
  const keep = (key: Buffer, value: Buffer): boolean => {
    const visible = index.get(keyText(keyOf(value)), revision);
    return (
      visible !== undefined &&
      visible.main === mainRevisionOf(key) &&
      visible.sub === subRevisionOf(key)
    );
  };
  const anyKept = await isAnyVisible(index, revision, clock);
  const hasher = new KeyValueHasher(compactRevision, revision, anyKept ? keep : undefined);
  const end = encodeMainRevision(revision + 1);
  await visitRows(snapshot, 'key', encodeRevisionKey(0, 0), end, clock, (key, value) => {
    hasher.add(key, value);
  });
  return hasher.result;
}

/** The hash of the Hash RPC: all buckets, their names included, but what is a member's own. */
export async function hashBackend(snapshot: BackendSnapshot, clock: Clock): Promise<number> {
  let crc = 0;
  for (const bucket of BUCKETS) {
    crc = crc32c(Buffer.from(bucket, 'latin1'), crc);
    await visitRows(snapshot, bucket, LOWEST_KEY, undefined, clock, (key, value) => {
      if (isHashedRow(bucket, key)) {
        crc = crc32c(value, crc32c(key, crc));
      }
    });
  }
  return crc;
}

async function isAnyVisible(index: KeyIndex, revision: number, clock: Clock): Promise<boolean> {
  const found = new VisibleRevision();
  let isFound = false;
  let next: string | undefined = '';
  while (next !== undefined && !isFound) {
    next = index.visitChunk(next, CHUNK_KEYS, (_key, record) => {
      isFound ||= lookUp(record, revision, found);
    });
    if (next !== undefined && !isFound) {
      await nextTurn(clock);
    }
  }
  return isFound;
}

async function visitRows(
  snapshot: BackendSnapshot,
  bucket: Bucket,
  from: Buffer,
  end: Buffer | undefined,
  clock: Clock,
  visit: (key: Buffer, value: Buffer) => void,
): Promise<void> {
  let start: Buffer | undefined = from;
  while (start !== undefined) {
    let bytes = 0;
    let rows = 0;
    let last: Buffer | undefined;
    for (const [key, value] of snapshot.range(bucket, start, end, CHUNK_ROWS)) {
      visit(key, value);
      rows++;
      bytes += key.length + value.length;
      last = key;
      if (bytes >= CHUNK_BYTES) {
        break;
      }
    }
    const isCut = rows === CHUNK_ROWS || bytes >= CHUNK_BYTES;
    // The next key in order is this one and a zero byte.
    start = isCut && last !== undefined ? Buffer.concat([last, Buffer.alloc(1)]) : undefined;
    if (start !== undefined) {
      await nextTurn(clock);
    }
  }
}

function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.defer(resolve));
}
