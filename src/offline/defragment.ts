import { join } from 'node:path';
import { acquireDirectoryLock } from '../platform/directory-lock.js';
import { errnoError } from '../platform/errno.js';
import { lockFile } from '../platform/file-lock.js';
import { nodeFs } from '../platform/node-fs.js';
import { LMDB_FILE_NAME } from '../storage/backend/lmdb.js';
import { syncFile } from '../storage/backend/lmdb-builder.js';
import { LmdbEnvironment } from '../storage/backend/lmdb-environment.js';
import { streamBboltFile } from '../storage/bbolt/stream-file.js';
import { type CheckedDatabase, checkDatabase } from './check-database.js';
import { type Database, readDatabase } from './database.js';
import { pageProgress } from './file-hash.js';

/** A server removes what begins with `db.tmp` when it starts. */
const COPY_NAME = 'db.tmp.defragment';

/** Where a member of a real etcd, or of ours, keeps its database. */
export interface MemberDatabase {
  readonly kind: 'bbolt' | 'lmdb';
  /** The directory `member`. */
  readonly member: string;
  readonly snap: string;
  readonly path: string;
}

/** Sizes of a database file, bytes. */
export interface DatabaseSize {
  readonly total: number;
  readonly inUse: number;
}

export interface DefragmentOptions {
  /** How long to wait for the lock of a bbolt file; 0: for ever. */
  readonly lockTimeoutMillis: number;
  /** Told once the database was found sound, before anything is written. */
  readonly onStart?: (size: DatabaseSize) => void;
  /** Told now and then how many bytes of how many were read; twice through. */
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
}

/** The copy is not what the original is: nothing was replaced. */
export class DefragmentError extends Error {
  override readonly name = 'DefragmentError';
}

/**
 * The database of a data directory, ours if both kinds are there.
 * @throws ErrnoException ENOENT naming the file that etcd has
 */
export async function memberDatabase(dataDirectory: string): Promise<MemberDatabase> {
  const member = join(dataDirectory, 'member');
  const snap = join(member, 'snap');
  const own = join(snap, LMDB_FILE_NAME);
  if ((await nodeFs.stat(own)) !== undefined) return { kind: 'lmdb', member, snap, path: own };
  const path = join(snap, 'db');
  if ((await nodeFs.stat(path)) === undefined) throw errnoError('ENOENT', 'stat', path);
  return { kind: 'bbolt', member, snap, path };
}

/**
 * Rewrites the database of a data directory without its free pages. The new file takes the name
 * only when it is durable and was read back; until then the old one stays as it is.
 * @returns the sizes afterwards
 * @throws FileLockError, DirectoryLockedError if a server runs on it
 * @throws DefragmentError, DatabaseDamage, DatabaseRowError, BackendOpenError, ErrnoException
 */
export async function defragmentDataDirectory(
  dataDirectory: string,
  options: DefragmentOptions,
): Promise<DatabaseSize> {
  const place = await memberDatabase(dataDirectory);
  const lock =
    place.kind === 'bbolt'
      ? await lockFile(place.path, options.lockTimeoutMillis)
      : await acquireDirectoryLock(place.member);
  try {
    const before = await readDatabase(nodeFs, place.path, (database) =>
      check(database, options.onProgress),
    );
    options.onStart?.(before.size);
    return await replaceByCopy(place, before.checked, options);
  } finally {
    await lock.release();
  }
}

interface Checked {
  readonly checked: CheckedDatabase;
  readonly size: DatabaseSize;
}

async function check(
  database: Database,
  onProgress: DefragmentOptions['onProgress'],
): Promise<Checked> {
  const checked = await checkDatabase(database, { decodesRows: false, onProgress });
  const size = { total: database.bytes, inUse: checked.usedPages * database.pageBytes };
  return { checked, size };
}

/** Makes a copy without free pages, reads it back, and only then gives it the name. */
async function replaceByCopy(
  place: MemberDatabase,
  original: CheckedDatabase,
  { onProgress }: DefragmentOptions,
): Promise<DatabaseSize> {
  const copy = join(place.snap, COPY_NAME);
  try {
    if (place.kind === 'bbolt') await copyBbolt(place.path, copy, onProgress);
    else await copyLmdb(place.path, copy);
    const written = await readDatabase(nodeFs, copy, (database) => check(database, undefined));
    requireSame(copy, original, written.checked);
    await nodeFs.rename(copy, place.path);
    await nodeFs.syncDirectory(place.snap);
    return written.size;
  } catch (error) {
    if ((await nodeFs.stat(copy)) !== undefined) await nodeFs.remove(copy);
    throw error;
  }
}

async function copyBbolt(
  path: string,
  copy: string,
  onProgress: DefragmentOptions['onProgress'],
): Promise<void> {
  await readDatabase(nodeFs, path, async (database) => {
    const visit = pageProgress(database, onProgress);
    const buckets = async function* () {
      for await (const { name, rows } of database.buckets()) {
        yield { name, rows: () => rows({ visit }) };
      }
    };
    await streamBboltFile(nodeFs, copy, buckets());
  });
}

async function copyLmdb(path: string, copy: string): Promise<void> {
  const environment = await LmdbEnvironment.open(path, { noSync: false });
  try {
    await environment.copyCompacted(copy);
  } finally {
    await environment.close();
  }
  await syncFile(nodeFs, copy);
}

function requireSame(path: string, original: CheckedDatabase, copy: CheckedDatabase): void {
  if (original.hash === copy.hash) return;
  throw new DefragmentError(`${path}: the copy differs from the original`);
}
