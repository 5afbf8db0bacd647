import { DecodeError } from '../proto/decode-error.js';
import { keyOfChecked } from '../proto/hot/key-value.js';
import type { Row } from '../storage/backend/backend.js';
import {
  isTombstoneKey,
  mainRevisionOf,
  REVISION_KEY_BYTES,
} from '../storage/mvcc/revision-key.js';
import { type Database, type DatabaseBucket, findBucket } from './database.js';
import { DatabaseRowError } from './row-error.js';

const SEPARATOR = 0x5f;
const FINISHED = Buffer.from('finishedCompactRev');
const SCHEDULED = Buffer.from('scheduledCompactRev');
const NEVER_COMPACTED = -1;

/** The user's key of a row of the bucket `key`. @throws DatabaseRowError */
export type UserKeyOf = (row: Row) => Buffer;

/** Whether bytes are those of a revision: 17 of them, and one more for a deletion. */
export function isRevisionKey(key: Buffer): boolean {
  const length = isTombstoneKey(key) ? REVISION_KEY_BYTES + 1 : REVISION_KEY_BYTES;
  return key.length === length && key[8] === SEPARATOR;
}

/** How far the keys of a database reach. */
export interface Keyspace {
  /** Undefined if there is none: then there are no keys. */
  readonly bucket: DatabaseBucket | undefined;
  readonly userKeyOf: UserKeyOf;
  /** The revision of the last change; 1 of an empty store (reference: formats 4.3). */
  readonly currentRevision: number;
  /** The revision compacted last, also if that has not ended; -1: never compacted. */
  readonly compactRevision: number;
}

/** @throws DatabaseDamage, DatabaseRowError */
export async function openKeyspace(database: Database): Promise<Keyspace> {
  const meta = await findBucket(database, 'meta');
  const bucket = await findBucket(database, 'key');
  // Trap: the last row is not always the current revision: a compaction may have deleted it.
  const finished = mark(await meta?.get(FINISHED), database, FINISHED);
  const scheduled = mark(await meta?.get(SCHEDULED), database, SCHEDULED);
  const last = bucket === undefined ? 0 : await lastRevision(database, bucket);
  return {
    bucket,
    userKeyOf: (row) => userKeyOf(database.path, row),
    currentRevision: Math.max(1, last, finished, scheduled),
    compactRevision: Math.max(finished, scheduled),
  };
}

function userKeyOf(file: string, [key, value]: Row): Buffer {
  if (!isRevisionKey(key)) throw new DatabaseRowError(file, 'key', key, 'this is not a revision');
  try {
    return keyOfChecked(value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new DatabaseRowError(file, 'key', key, `its value is not a KeyValue: ${error.message}`);
  }
}

async function lastRevision(database: Database, bucket: DatabaseBucket): Promise<number> {
  for await (const rows of bucket.rows({ reverse: true })) {
    const [first] = rows;
    if (first === undefined) continue;
    if (!isRevisionKey(first[0])) {
      throw new DatabaseRowError(database.path, 'key', first[0], 'this is not a revision');
    }
    return mainRevisionOf(first[0]);
  }
  return 0;
}

function mark(value: Buffer | undefined, database: Database, key: Buffer): number {
  if (value === undefined) return NEVER_COMPACTED;
  if (isRevisionKey(value)) return mainRevisionOf(value);
  throw new DatabaseRowError(database.path, 'meta', key, 'its value is not a revision');
}
