import type { Fs } from '../platform/fs.js';
import { type KeyValueHash, KeyValueHasher } from '../storage/mvcc/kv-hasher.js';
import { mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { readDatabase } from './database.js';
import { pageProgress } from './file-hash.js';
import { openKeyspace } from './keyspace.js';
import { classifyRows, RowClass } from './row-classes.js';

/** The revision that was asked for can't be hashed. `message` is etcd's. */
export class HashRevisionError extends Error {
  override readonly name = 'HashRevisionError';
}

export interface FileHashOptions {
  /** Told now and then how many bytes of how many were read. */
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
}

/**
 * The hash that HashKV of a member with this database gives (reference: semantics 3.8), of a
 * database file, a snapshot or a data directory. Nothing is written; memory is bounded.
 *
 * Trap: a live server answers for the last ten compacted revisions with what it hashed while
 * compacting, which a file does not know.
 *
 * @param revision 0: the latest
 * @throws HashRevisionError, DatabaseRowError, and what readDatabase throws
 */
export function fileHashKv(
  fs: Fs,
  path: string,
  revision: number,
  { onProgress }: FileHashOptions = {},
): Promise<KeyValueHash> {
  return readDatabase(fs, path, async (database) => {
    const { bucket, userKeyOf, currentRevision, compactRevision } = await openKeyspace(database);
    if (revision < 0 || (revision > 0 && revision < compactRevision)) {
      throw new HashRevisionError('mvcc: required revision has been compacted');
    }
    if (revision > currentRevision) {
      throw new HashRevisionError('mvcc: required revision is a future revision');
    }
    const hashed = revision === 0 ? currentRevision : revision;
    if (bucket === undefined) {
      return new KeyValueHasher(compactRevision, hashed, undefined).result;
    }
    const readRows = () => bucket.rows({ visit: pageProgress(database, onProgress) });
    // Which rows are visible matters below the compacted revision only.
    const classes =
      compactRevision > 0 ? await classifyRows(readRows, userKeyOf, hashed) : undefined;
    let ordinal = 0;
    const isVisible = () => classes?.of(ordinal) === RowClass.live;
    const keep = classes?.hasLive === true ? isVisible : undefined;
    const hasher = new KeyValueHasher(compactRevision, hashed, keep);
    reading: for await (const rows of readRows()) {
      for (const row of rows) {
        userKeyOf(row);
        if (mainRevisionOf(row[0]) > hashed) break reading;
        hasher.add(row[0], row[1]);
        ordinal++;
      }
    }
    return hasher.result;
  });
}
