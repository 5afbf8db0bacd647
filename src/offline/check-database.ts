import { crc32c } from '../base/crc32c.js';
import { PageUse } from '../storage/bbolt/page-use.js';
import { mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { type Database, type PageVisit, pageGroup, type Row } from './database.js';
import { type DecodedRow, decodeRow } from './decode-row.js';
import { pageProgress } from './file-hash.js';
import { DatabaseRowError } from './row-error.js';

/** Pages 0 and 1 belong to no tree. */
const META_PAGES = 2;

/** What there is in one bucket. */
export interface BucketSummary {
  readonly name: string;
  readonly rows: number;
  /** Of keys and values. */
  readonly bytes: number;
}

/** A database that is sound. */
export interface CheckedDatabase {
  readonly buckets: readonly BucketSummary[];
  /** Pages that hold something. */
  readonly usedPages: number;
  /** CRC-32C of the names of all buckets and of all their pairs, nothing left out. */
  readonly hash: number;
  /** Main revision of the last row of `key`; 0 if there is none. */
  readonly revision: number;
}

export interface CheckOptions {
  /** Look into every row too. Default true. */
  readonly decodesRows?: boolean;
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
}

/**
 * Reads every page that is in use and every row: bounds, kinds, order, each page used once, and
 * rows that their buckets can have.
 * @throws DatabaseDamage, DatabaseRowError for the first thing that is wrong
 */
export async function checkDatabase(
  database: Database,
  { decodesRows = true, onProgress }: CheckOptions = {},
): Promise<CheckedDatabase> {
  const use = new PageUse(database.pageCount);
  const progress = pageProgress(database, onProgress);
  let usedPages = META_PAGES;
  let page = 0;
  const visit: PageVisit = (first, count, kind) => {
    usedPages += count;
    if (kind !== 'value') page = first;
    use.visit(pageGroup(database, first, count));
    progress?.(first, count);
  };
  const buckets: BucketSummary[] = [];
  let hash = 0;
  let revision = 0;
  for await (const bucket of database.buckets({ visit })) {
    hash = crc32c(Buffer.from(bucket.name, 'latin1'), hash);
    const summary = { name: bucket.name, rows: 0, bytes: 0 };
    for await (const rows of bucket.rows({ visit })) {
      for (const row of rows) {
        hash = crc32c(row[1], crc32c(row[0], hash));
        summary.rows++;
        summary.bytes += row[0].length + row[1].length;
        if (decodesRows) checkRow(database, bucket.name, row, page);
      }
      const last = rows.at(-1);
      if (bucket.name === 'key' && last !== undefined) revision = mainRevisionOf(last[0]);
    }
    buckets.push(summary);
  }
  await database.checkFreePages(use);
  return { buckets, usedPages, hash, revision };
}

/** @throws DatabaseRowError */
function checkRow({ path, pageBytes }: Database, bucket: string, row: Row, page: number): void {
  let problem: string | undefined;
  try {
    problem = contradiction(decodeRow(path, bucket, row), row);
  } catch (error) {
    if (!(error instanceof DatabaseRowError)) throw error;
    problem = error.reason;
  }
  if (problem === undefined) return;
  const place = { page, offset: page * pageBytes };
  throw new DatabaseRowError(path, bucket, row[0], problem, place);
}

/** Values carry what their keys say as well. */
function contradiction(row: DecodedRow, [key, value]: Row): string | undefined {
  switch (row.kind) {
    case 'key': {
      const { modRevision } = row.keyValue;
      // A restore that bumps revisions leaves a row without a value (reference: formats 5.3).
      const isRight = row.isTombstone || value.length === 0 || modRevision === row.main;
      return isRight ? undefined : `its value is of revision ${modRevision}`;
    }
    case 'lease': {
      const isRight = key.length === 8 && key.readBigInt64BE(0) === row.lease.ID;
      return isRight ? undefined : `its value is lease ${row.lease.ID}`;
    }
    case 'role':
      return row.role.name.equals(key) ? undefined : `its value is role ${row.role.name}`;
    case 'user':
      return row.user.name.equals(key) ? undefined : `its value is user ${row.user.name}`;
    default:
      return undefined;
  }
}
