import * as fs from 'node:fs/promises';
import { isErrno } from './errno.js';

/** The locks of all processes that this one can see: Linux only. */
const LOCKS_FILE = '/proc/locks';
/** `2: FLOCK  ADVISORY  WRITE 9354 fe:00:10010638 0 EOF`: device and inode in the last but two. */
const EXCLUSIVE_LOCK = /^\d+: \S+\s+\S+\s+WRITE\s+-?\d+\s+([0-9a-f]+:[0-9a-f]+:\d+)\s/;

/**
 * Whether a process holds a file for itself by a lock of the kernel, as a real etcd does with its
 * database and its log. Node can neither take nor try such locks, but Linux lists them. False where
 * that can't be found out, and if there is no file.
 */
export async function isFileLocked(path: string): Promise<boolean> {
  try {
    const { dev, ino } = await fs.stat(path, { bigint: true });
    const locks = await fs.readFile(LOCKS_FILE, 'latin1');
    const wanted = `${deviceText(dev)}:${ino}`;
    return locks.split('\n').some((line) => EXCLUSIVE_LOCK.exec(line)?.[1] === wanted);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')) return false;
    throw error;
  }
}

/** Major and minor number of a device, taken apart as Linux puts them together. */
function deviceText(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xfff_ff00n);
  return `${hex2(major)}:${hex2(minor)}`;
}

function hex2(number: bigint): string {
  return number.toString(16).padStart(2, '0');
}
