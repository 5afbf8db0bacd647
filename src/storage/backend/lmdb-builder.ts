import { dirname } from 'node:path';
import type { Fs } from '../../platform/fs.js';
import { BackendOpenError, type RowBatch, type RowSource } from './backend.js';
import { LmdbEnvironment } from './lmdb-environment.js';
import { RowOrderCheck } from './row-source.js';

/** What LMDB adds to the name of a file for that of its reader table. */
export const LOCK_SUFFIX = '-lock';
const BUILDING_SUFFIX = '.new';

/** Where the successor of an LMDB file is built; left over only by a crash. */
export function buildingPath(path: string): string {
  return path + BUILDING_SUFFIX;
}

/** One transaction of a file that is being built takes so many bytes, or so many rows. */
const TRANSACTION_BYTES = 4 * 1024 * 1024;
const TRANSACTION_ROWS = 10_000;

/**
 * Makes an LMDB file of a source, durable and complete once it has its name; a crash before that
 * leaves nothing but a file that the next call, or the next start, removes.
 * @throws BackendOpenError if there is a file at `path`
 * @throws what the source throws
 */
export async function createLmdbDatabase(fs: Fs, path: string, source: RowSource): Promise<void> {
  if ((await fs.stat(path)) !== undefined) throw new BackendOpenError(path, 'it exists already');
  const building = buildingPath(path);
  try {
    await buildLmdbFile(fs, building, source);
    await removeLmdbLock(fs, building);
    await fs.rename(building, path);
  } catch (error) {
    await removeLmdbFile(fs, building);
    throw error;
  }
  await fs.syncDirectory(dirname(path));
}

/**
 * Writes all rows of a source to a new file, in place of any that is there, and syncs it. The event
 * loop is held for a batch of the source at most: LMDB writes in a thread of its own.
 */
export async function buildLmdbFile(fs: Fs, path: string, source: RowSource): Promise<void> {
  await removeLmdbFile(fs, path);
  // Nobody needs a file that is half built: it is synced once, at the end.
  const environment = await LmdbEnvironment.open(path, { noSync: true });
  try {
    await appendAll(environment, source);
  } catch (error) {
    await requireSpace(fs, path);
    throw error;
  } finally {
    await environment.close();
  }
  await syncFile(fs, path);
}

/**
 * LMDB tells of a full disk as of a broken one: a write that was too short is an I/O error to it.
 * @throws ErrnoException ENOSPC if the disk is full
 */
async function requireSpace(fs: Fs, path: string): Promise<void> {
  const file = await fs.open(path, { write: true });
  try {
    await file.write([Buffer.alloc(TRANSACTION_BYTES)], await file.size());
  } finally {
    await file.close();
  }
}

async function appendAll(environment: LmdbEnvironment, source: RowSource): Promise<void> {
  const order = new RowOrderCheck();
  let waiting: RowBatch[] = [];
  let rows = 0;
  let bytes = 0;
  for await (const batch of source) {
    order.check(batch);
    waiting.push(batch);
    rows += batch.rows.length;
    for (const [key, value] of batch.rows) bytes += key.length + value.length;
    if (rows < TRANSACTION_ROWS && bytes < TRANSACTION_BYTES) continue;
    await environment.append(waiting);
    waiting = [];
    rows = 0;
    bytes = 0;
  }
  await environment.append(waiting);
}

/** Removes a file that is not open, and its reader table. */
export async function removeLmdbFile(fs: Fs, path: string): Promise<void> {
  if ((await fs.stat(path)) !== undefined) await fs.remove(path);
  await removeLmdbLock(fs, path);
}

async function removeLmdbLock(fs: Fs, path: string): Promise<void> {
  const lock = path + LOCK_SUFFIX;
  if ((await fs.stat(lock)) !== undefined) await fs.remove(lock);
}

export async function syncFile(fs: Fs, path: string): Promise<void> {
  const file = await fs.open(path, { read: true, write: true });
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
