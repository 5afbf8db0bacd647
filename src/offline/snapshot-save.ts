import { dirname } from 'node:path';
import { fileErrorText } from '../platform/file-error-text.js';
import type { FileHandle, Fs } from '../platform/fs.js';
import { SnapshotChecksum } from './snapshot-checksum.js';

/** Bytes that are collected before they are written. */
const WRITE_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

/** A snapshot was not saved. `message` is etcdctl's (reference: cli 5.7). */
export class SnapshotSaveError extends Error {
  override readonly name = 'SnapshotSaveError';

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
  }
}

/**
 * Writes a snapshot to `<path>.part`, makes it durable once its checksum is proved right, and only
 * then gives it its name: a file of that name is always whole. The part is removed if that fails.
 */
export class SnapshotFile {
  readonly path: string;
  readonly partPath: string;
  readonly #fs: Fs;
  readonly #file: FileHandle;
  readonly #checksum = new SnapshotChecksum();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written = 0;
  /** The write under way: the next part is received meanwhile. */
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(fs: Fs, path: string, file: FileHandle) {
    this.#fs = fs;
    this.path = path;
    this.partPath = file.path;
    this.#file = file;
  }

  /** @throws SnapshotSaveError */
  static async create(fs: Fs, path: string): Promise<SnapshotFile> {
    const partPath = `${path}.part`;
    const options = { write: true, create: true, truncate: true, mode: FILE_MODE };
    const file = await fs.open(partPath, options).catch((error: unknown) => {
      const text = fileErrorText('open', partPath, error);
      throw new SnapshotSaveError(`could not open ${partPath} (${text})`, error);
    });
    return new SnapshotFile(fs, path, file);
  }

  /** Bytes that were handed over. */
  get size(): number {
    return this.#written + this.#waitingBytes;
  }

  /** @throws SnapshotSaveError */
  async write(blob: Uint8Array): Promise<void> {
    this.#checksum.update(blob);
    this.#waiting.push(blob);
    this.#waitingBytes += blob.length;
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush();
  }

  /**
   * Checks and syncs what was written, and renames it.
   * @throws SnapshotSaveError
   */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writing;
    const problem = this.#checksum.problem();
    if (problem !== undefined) throw new SnapshotSaveError(problem);
    await this.#file.sync().catch((error: unknown) => {
      const text = fileErrorText('sync', this.partPath, error);
      throw new SnapshotSaveError(`could not fsync snapshot: ${text}`, error);
    });
    await this.#close();
    try {
      await this.#fs.rename(this.partPath, this.path);
      await this.#fs.syncDirectory(dirname(this.path));
    } catch (error) {
      const text = fileErrorText('rename', this.partPath, error);
      const message = `could not rename ${this.partPath} to ${this.path} (${text})`;
      throw new SnapshotSaveError(message, error);
    }
  }

  /** Removes what is there of a snapshot that was not finished. */
  async discard(): Promise<void> {
    await this.#close();
    if ((await this.#fs.stat(this.partPath)) !== undefined) await this.#fs.remove(this.partPath);
  }

  /** Begins to write what waits, once the part before it is written. */
  async #flush(): Promise<void> {
    await this.#writing;
    const blobs = this.#waiting;
    const bytes = this.#waitingBytes;
    if (bytes === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#writing = this.#file.write(blobs, this.#written).catch((error: unknown) => {
      const text = fileErrorText('write', this.partPath, error);
      throw new SnapshotSaveError(`could not write snapshot: ${text}`, error);
    });
    // Whoever writes or finishes next is told of a failure.
    this.#writing.catch(() => {});
    this.#written += bytes;
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled([this.#writing]);
    await this.#file.close();
  }
}
