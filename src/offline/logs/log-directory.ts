import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FileHandle, Fs } from '../../platform/fs.js';
import { SnapError } from '../../storage/snap/snap-error.js';
import { decodeSnapshotFile, type RaftSnapshot } from '../../storage/snap/snapshot-file.js';
import type { SegmentFiles } from '../../storage/wal/record-reader.js';
import { WalError } from '../../storage/wal/wal-error.js';

/** More segments than this are opened again for each pass. */
const MAX_KEPT_OPEN = 64;
const MAX_SNAPSHOT_BYTES = 2 ** 31 - 1;
/** How long a write may take to become visible as a whole, ms. */
const SETTLE_MILLIS = 20;
const MAX_ATTEMPTS = 3;

export function walDirectoryOf(dataDirectory: string): string {
  return join(dataDirectory, 'member', 'wal');
}

export function snapDirectoryOf(dataDirectory: string): string {
  return join(dataDirectory, 'member', 'snap');
}

/**
 * Reads a `.snap` file, changing nothing. (The reader of a member sets broken ones aside.)
 * @throws SnapError, ErrnoException
 */
export async function readSnapshotFile(fs: Fs, path: string): Promise<RaftSnapshot> {
  const file = await fs.open(path, { read: true });
  try {
    const bytes = await file.read(0, Math.min(await file.size(), MAX_SNAPSHOT_BYTES));
    return decodeSnapshotFile(bytes, path);
  } finally {
    await file.close();
  }
}

/** Names of the `.snap` files in a directory, newest first. @throws ErrnoException */
export async function snapshotNames(fs: Fs, directory: string): Promise<string[]> {
  const names = await fs.readDirectory(directory);
  return names.filter((name) => name.endsWith('.snap')).reverse();
}

/** The newest snapshot that can be read; undefined if there is none. @throws ErrnoException */
export async function newestSnapshot(fs: Fs, directory: string): Promise<RaftSnapshot | undefined> {
  for (const name of await snapshotNames(fs, directory)) {
    try {
      return await readSnapshotFile(fs, join(directory, name));
    } catch (error) {
      if (!(error instanceof SnapError)) throw error;
    }
  }
  return undefined;
}

/**
 * Files that stay open from one pass over a log to the next, so that a running member that removes
 * old segments meanwhile does not take them from us.
 */
export class KeptSegments implements SegmentFiles {
  readonly #fs: SegmentFiles;
  readonly #files = new Map<string, FileHandle>();

  constructor(fs: SegmentFiles) {
    this.#fs = fs;
  }

  async open(path: string, options: Parameters<Fs['open']>[1]): Promise<FileHandle> {
    const kept = this.#files.get(path) ?? (await this.#fs.open(path, options));
    if (!this.#files.has(path)) {
      if (this.#files.size >= MAX_KEPT_OPEN) return kept;
      this.#files.set(path, kept);
    }
    return new LentFile(kept);
  }

  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(files.map((file) => file.close()));
  }
}

/** A file whose owner closes it. */
class LentFile implements FileHandle {
  readonly path: string;
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.path = file.path;
    this.#file = file;
  }

  read(position: number, length: number): Promise<Buffer> {
    return this.#file.read(position, length);
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  async close(): Promise<void> {}

  write(): Promise<void> {
    return this.#refuse();
  }

  datasync(): Promise<void> {
    return this.#refuse();
  }

  sync(): Promise<void> {
    return this.#refuse();
  }

  truncate(): Promise<void> {
    return this.#refuse();
  }

  #refuse(): Promise<never> {
    return Promise.reject(new Error(`${this.path} was opened for reading`));
  }
}

/**
 * Reads something that a running member may be writing: a fault counts if it is there twice. A write
 * is not visible all at once, and a record of a snapshot comes after its file.
 *
 * @throws what `work` threw last
 */
export async function readSettled<T>(work: () => Promise<T>): Promise<T> {
  let earlier: WalError | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof WalError) || attempt === MAX_ATTEMPTS) throw error;
      if (earlier !== undefined && isSameFault(earlier, error)) throw error;
      earlier = error;
      await sleep(SETTLE_MILLIS);
    }
  }
}

function isSameFault(left: WalError, right: WalError): boolean {
  return left.fault === right.fault && left.file === right.file && left.offset === right.offset;
}
