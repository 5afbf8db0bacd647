import * as fs from 'node:fs/promises';
import { isErrno } from './errno.js';

/** The locks of all processes that this one can see: Linux only. */
export const LOCKS_FILE = '/proc/locks';
/** `2: FLOCK  ADVISORY  WRITE 9354 fe:00:10010638 0 EOF`: device and inode in the last but two. */
const EXCLUSIVE_LOCK = /^\d+: \S+\s+\S+\s+WRITE\s+-?\d+\s+([0-9a-f]+:[0-9a-f]+:\d+)\s/;

/**
 * Whether a process holds a file for itself by a lock of the kernel, as a real etcd does with its
 * database and its log. Node can neither take nor try such locks, but Linux lists them. False where
 * that can't be found out, and if there is no file.
 */
export async function isFileLocked(path: string): Promise<boolean> {
  try {
    const wanted = await nameInLocks(path);
    const locks = await fs.readFile(LOCKS_FILE, 'latin1');
    return locks.split('\n').some((line) => EXCLUSIVE_LOCK.exec(line)?.[1] === wanted);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')) return false;
    throw error;
  }
}

/** What {@link LOCKS_FILE} calls a file: its device and inode. @throws ErrnoException */
export async function nameInLocks(path: string): Promise<string> {
  const { dev, ino } = await fs.stat(path, { bigint: true });
  // Major and minor number, taken apart as Linux puts them together.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff_ff00n);
  const hex = (part: bigint) => part.toString(16).padStart(2, '0');
  return `${hex(major)}:${hex(minor)}:${ino}`;
}
