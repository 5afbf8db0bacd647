import type { Fs } from '../platform/fs.js';
import { LMDB_PAGE_BYTES } from '../storage/backend/lmdb-page.js';
import { mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { type CheckedDatabase, checkDatabase } from './check-database.js';
import {
  type Database,
  type DatabaseBucket,
  isDatabaseDamage,
  openDatabase,
  readDatabase,
} from './database.js';
import { decodeRow } from './decode-row.js';
import { isRevisionKey } from './keyspace.js';
import { DatabaseRowError } from './row-error.js';
import { scanLeaves } from './scan-keys.js';
import { SnapshotChecksumError } from './snapshot-checksum.js';

/** The first thing that is wrong with a file. */
export interface DamageSite {
  /** Bytes from the start of the file; undefined: it is not in one place. */
  readonly offset: number | undefined;
  readonly page: number | undefined;
  /** The row, if all but one is right: its bucket and its key in hexadecimal. */
  readonly row: { readonly bucket: string; readonly key: string } | undefined;
  readonly reason: string;
}

/** How much of a bucket its tree still leads to. */
export interface ReadableBucket {
  readonly name: string;
  /** All rows are there and mean something. */
  readonly isWhole: boolean;
  /** Rows before the first that is damaged. */
  readonly rows: number;
  /** Of the bucket `key`: the main revision of the last of them. */
  readonly upToRevision: number | undefined;
}

/** What can be saved of a damaged file. */
export interface Salvage {
  /** Those that are still found, in order of their names. */
  readonly buckets: readonly ReadableBucket[];
  /** Rows of `key` on all leaves of the file, also where no tree leads: what `scan-keys` gives. */
  readonly scannedKeyRows: number;
  /** Highest main revision among them. */
  readonly scannedRevision: number;
}

export type Verdict =
  | { readonly isSound: true; readonly kind: Database['kind']; readonly checked: CheckedDatabase }
  | { readonly isSound: false; readonly damage: DamageSite; readonly salvage: Salvage };

export type VerifyProgress = (read: number, total: number) => void;

/**
 * Checks every page, every row and, of a snapshot, the hash at its end; of a damaged file it finds
 * out what is left.
 * @throws DatabaseNotFoundError, DatabaseChangedError, ErrnoException
 */
export async function verifyFile(
  fs: Fs,
  path: string,
  onProgress?: VerifyProgress,
): Promise<Verdict> {
  let pageBytes = LMDB_PAGE_BYTES;
  try {
    return await readDatabase(fs, path, async (database) => {
      pageBytes = database.pageBytes;
      const checked = await checkDatabase(database, { onProgress });
      return { isSound: true, kind: database.kind, checked };
    });
  } catch (error) {
    const damage = damageOf(error, pageBytes);
    if (damage === undefined) throw error;
    return { isSound: false, damage, salvage: await salvage(fs, path) };
  }
}

function damageOf(error: unknown, pageBytes: number): DamageSite | undefined {
  if (isDatabaseDamage(error)) {
    const { offset, reason } = error;
    return { offset, page: Math.floor(offset / pageBytes), row: undefined, reason };
  }
  if (error instanceof DatabaseRowError) {
    const { place, bucket, rowKey, reason } = error;
    const row = { bucket, key: rowKey };
    return { offset: place?.offset, page: place?.page, row, reason };
  }
  if (error instanceof SnapshotChecksumError) {
    return { offset: undefined, page: undefined, row: undefined, reason: error.reason };
  }
  return undefined;
}

async function salvage(fs: Fs, path: string): Promise<Salvage> {
  const scanned = await scan(fs, path);
  const buckets: ReadableBucket[] = [];
  await untilDamage(async () => {
    const database = await openDatabase(fs, path);
    try {
      for await (const bucket of database.buckets()) buckets.push(await readable(database, bucket));
    } finally {
      await database.close();
    }
  });
  return { buckets, ...scanned };
}

async function readable(database: Database, bucket: DatabaseBucket): Promise<ReadableBucket> {
  let rows = 0;
  let upToRevision: number | undefined;
  const isWhole = await untilDamage(async () => {
    for await (const batch of bucket.rows()) {
      for (const row of batch) {
        decodeRow(database.path, bucket.name, row);
        rows++;
        if (bucket.name === 'key') upToRevision = mainRevisionOf(row[0]);
      }
    }
  });
  return { name: bucket.name, isWhole, rows, upToRevision };
}

async function scan(
  fs: Fs,
  path: string,
): Promise<Pick<Salvage, 'scannedKeyRows' | 'scannedRevision'>> {
  let scannedKeyRows = 0;
  let scannedRevision = 0;
  await untilDamage(async () => {
    for await (const leaf of scanLeaves(fs, path)) {
      for (const [key] of 'rows' in leaf ? leaf.rows : []) {
        if (!isRevisionKey(key)) continue;
        scannedKeyRows++;
        scannedRevision = Math.max(scannedRevision, mainRevisionOf(key));
      }
    }
  });
  return { scannedKeyRows, scannedRevision };
}

/** Whether `work` met no damage. */
async function untilDamage(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (damageOf(error, LMDB_PAGE_BYTES) === undefined) throw error;
    return false;
  }
}
