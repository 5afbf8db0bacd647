import { join } from 'node:path';
import { type Logger, silentLogger } from '../../base/logger.js';
import { isErrno } from '../../platform/errno.js';
import type { Fs } from '../../platform/fs.js';

export interface PurgeOptions {
  /** Files with this suffix count: `wal`, `snap` or `snap.db`. */
  readonly suffix: string;
  /** How many may stay; 0 keeps all. */
  readonly max: number;
  /** Whether a file is still needed; the purge stops at the first such. Default: none is. */
  readonly isHeld?: (name: string) => boolean;
  readonly logger?: Logger;
}

/**
 * Deletes the oldest files of a suffix, in name order, until `max` are left, and returns their names
 * (reference: formats 1.10).
 *
 * Trap: etcd knows by file locks which segments a log still needs; here the writer knows
 * (`WalWriter.holds`), and a purge of `wal` must ask it.
 */
export async function purgeOldest(
  fs: Fs,
  directory: string,
  options: PurgeOptions,
): Promise<string[]> {
  const { suffix, max, isHeld, logger = silentLogger } = options;
  if (max === 0) return [];
  const names = (await fs.readDirectory(directory)).filter((name) => name.endsWith(suffix));
  const removed: string[] = [];
  for (const name of names.slice(0, Math.max(0, names.length - max))) {
    if (isHeld?.(name)) break;
    const path = join(directory, name);
    if (!(await removeIfThere(fs, path))) continue;
    logger.info('purged', { path });
    removed.push(name);
  }
  return removed;
}

const SNAPSHOT_DATABASE = /^([0-9a-f]{1,16})\.snap\.db$/;

/** Index of the snapshot that a database received from a leader belongs to; undefined: it is none. */
export function snapshotDatabaseIndex(name: string): number | undefined {
  const hex = SNAPSHOT_DATABASE.exec(name)?.[1];
  return hex === undefined ? undefined : Number(`0x${hex}`);
}

/**
 * Deletes the databases received from leaders that are older than the snapshot at `index`, and
 * returns their names (reference: formats 1.10).
 */
export async function removeSnapshotDatabasesBefore(
  fs: Fs,
  snapDirectory: string,
  index: number,
  logger: Logger = silentLogger,
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await fs.readDirectory(snapDirectory)) {
    if ((snapshotDatabaseIndex(name) ?? index) >= index) continue;
    const path = join(snapDirectory, name);
    if (!(await removeIfThere(fs, path))) continue;
    logger.info('released snapshot database', { path });
    removed.push(name);
  }
  return removed;
}

/** False: somebody else removed it before. */
async function removeIfThere(fs: Fs, path: string): Promise<boolean> {
  try {
    await fs.remove(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
