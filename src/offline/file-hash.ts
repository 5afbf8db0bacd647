import { crc32c } from '../base/crc32c.js';
import type { Fs } from '../platform/fs.js';
import { isHashedRow } from '../storage/mvcc/hashing.js';
import { type Database, readDatabase } from './database.js';

/**
 * The hash of a whole database: all buckets, their names included, but what is a member's own
 * (reference: formats 6).
 * @throws what readDatabase throws
 */
export function fileHash(
  fs: Fs,
  path: string,
  onProgress?: (read: number, total: number) => void,
): Promise<number> {
  return readDatabase(fs, path, async (database) => {
    const visit = pageProgress(database, onProgress);
    let crc = 0;
    for await (const bucket of database.buckets({ visit })) {
      crc = crc32c(Buffer.from(bucket.name, 'latin1'), crc);
      for await (const rows of bucket.rows({ visit })) {
        for (const [key, value] of rows) {
          if (isHashedRow(bucket.name, key)) crc = crc32c(value, crc32c(key, crc));
        }
      }
    }
    return crc;
  });
}

/** A visitor of pages that tells how many bytes of the database they make. */
export function pageProgress(
  database: Pick<Database, 'bytes' | 'pageBytes'>,
  onProgress: ((read: number, total: number) => void) | undefined,
): ((firstPage: number, count: number) => void) | undefined {
  if (onProgress === undefined) return undefined;
  let pages = 0;
  return (_firstPage, count) => {
    pages += count;
    onProgress(pages * database.pageBytes, database.bytes);
  };
}
