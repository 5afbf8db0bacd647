import { dirname, join } from 'node:path';
import type { Fs } from '../../platform/fs.js';

/** Where a member keeps its files (reference: formats 0). */
export interface MemberDirectories {
  readonly data: string;
  readonly member: string;
  readonly wal: string;
  readonly snap: string;
}

/** Permissions of every directory below the data directory. */
const DIRECTORY_MODE = 0o700;

/** @param walDirectory a separate directory of the log; empty: below the data directory */
export function memberDirectories(dataDirectory: string, walDirectory: string): MemberDirectories {
  const member = join(dataDirectory, 'member');
  return {
    data: dataDirectory,
    member,
    wal: walDirectory === '' ? join(member, 'wal') : walDirectory,
    snap: join(member, 'snap'),
  };
}

/** A data directory that can't be served. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/**
 * Makes the directories of a member and sees that they can be written to.
 * @throws DataDirectoryError naming the directory and the reason
 */
export async function makeDirectories(fs: Fs, directories: MemberDirectories): Promise<void> {
  const { data, member, snap } = directories;
  for (const directory of [data, member, snap]) {
    try {
      await makeDurableDirectory(fs, directory);
      await touch(fs, directory);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DataDirectoryError(`cannot access data directory: ${reason}`, { cause: error });
    }
  }
}

/**
 * Makes a directory, and those above it that are missing, so that a power loss can't take it away
 * with all that is synced inside.
 */
export async function makeDurableDirectory(fs: Fs, path: string): Promise<void> {
  const made: string[] = [];
  for (let at = path; (await fs.stat(at)) === undefined; at = dirname(at)) made.push(at);
  await fs.makeDirectory(path, { recursive: true, mode: DIRECTORY_MODE });
  for (const directory of made.reverse()) await fs.syncDirectory(dirname(directory));
}

/** Creating and removing a file shows what permission bits alone do not. */
async function touch(fs: Fs, directory: string): Promise<void> {
  const path = join(directory, '.touch');
  const file = await fs.open(path, { write: true, create: true, truncate: true });
  await file.close();
  await fs.remove(path);
}

/**
 * Removes what an interrupted run has left half-made in the snap directory (reference: formats 2.1).
 */
export async function removeLeftovers(fs: Fs, snapDirectory: string): Promise<void> {
  for (const name of await fs.readDirectory(snapDirectory)) {
    if (name.startsWith('tmp') || name.startsWith('db.tmp')) {
      await fs.remove(join(snapDirectory, name));
    }
  }
}
