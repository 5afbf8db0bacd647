import { join } from 'node:path';
import { type Logger, silentLogger } from '../../base/logger.js';
import { type Histogram, silentHistogram } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { SnapError } from './snap-error.js';
import {
  decodeSnapshotFile,
  encodeSnapshotFile,
  type RaftSnapshot,
  snapshotDatabaseName,
  snapshotFileName,
} from './snapshot-file.js';

export interface SnapshotterOptions {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Seconds of each sync of a `.snap` file: etcd_snap_fsync_duration_seconds. */
  readonly syncSeconds?: Histogram;
}

/** A snapshot that the log vouches for; see validSnapshots of the WAL. */
export interface SnapshotPoint {
  readonly index: number;
  readonly term: number;
}

/** Before the umask, as etcd leaves it; all else in the data directory is 0600. */
const SNAPSHOT_MODE = 0o666;
const MAX_SNAPSHOT_BYTES = 2 ** 31 - 1;

/** The `.snap` files of a member's snap directory (reference: formats 2.1). */
export class Snapshotter {
  readonly #fs: Fs;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #syncSeconds: Histogram;

  constructor(fs: Fs, directory: string, options: SnapshotterOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#syncSeconds = options.syncSeconds ?? silentHistogram;
  }

  /**
   * Writes a snapshot so that it and its name are durable; only then may the WAL record it. One with
   * index 0 is nothing to save. etcd leaves the directory to chance; we sync it, for the WAL record
   * must never outlive the file.
   */
  async save(snapshot: RaftSnapshot): Promise<void> {
    if (snapshot.index === 0) return;
    const path = join(this.#directory, snapshotFileName(snapshot.term, snapshot.index));
    try {
      await this.#write(path, encodeSnapshotFile(snapshot));
    } catch (error) {
      this.#logger.warn('failed to write a snap file', { path, error: String(error) });
      await this.#removeIfThere(path);
      throw error;
    }
  }

  /** The newest snapshot that can be read. @throws {SnapError} none-available */
  load(): Promise<RaftSnapshot> {
    return this.#loadFirst(() => true);
  }

  /**
   * The newest snapshot that can be read and that the log vouches for.
   *
   * @throws {SnapError} none-available
   */
  loadNewestOf(points: readonly SnapshotPoint[]): Promise<RaftSnapshot> {
    return this.#loadFirst(({ index, term }) =>
      points.some((point) => point.index === index && point.term === term),
    );
  }

  /**
   * Names of the `.snap` files, newest first. Removes the `db.tmp*` that an interrupted
   * defragmentation left.
   */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for (const name of await this.#fs.readDirectory(this.#directory)) {
      if (name.startsWith('db.tmp')) {
        await this.#fs.remove(join(this.#directory, name));
      } else if (name.endsWith('.snap')) {
        names.push(name);
      } else if (name !== 'db') {
        this.#logger.warn('found unexpected non-snap file; skipping', { path: name });
      }
    }
    return names.reverse();
  }

  /** Removes what interrupted transfers and defragmentations left; call it at boot. */
  async removeTemporaries(): Promise<void> {
    for (const name of await this.#fs.readDirectory(this.#directory)) {
      if (!name.startsWith('tmp') && !name.startsWith('db.tmp')) continue;
      const path = join(this.#directory, name);
      await this.#fs.remove(path);
      this.#logger.info('found temporary file; removed', { path });
    }
  }

  /**
   * Path of the database that came with the snapshot at `index`.
   *
   * @throws {SnapError} database-not-found
   */
  async databasePath(index: number): Promise<string> {
    const path = join(this.#directory, snapshotDatabaseName(index));
    if ((await this.#fs.stat(path)) !== undefined) return path;
    throw new SnapError('database-not-found', "snap: snapshot file doesn't exist", path);
  }

  async #loadFirst(isWanted: (snapshot: RaftSnapshot) => boolean): Promise<RaftSnapshot> {
    for (const name of await this.names()) {
      const snapshot = await this.#read(name);
      if (snapshot !== undefined && isWanted(snapshot)) return snapshot;
    }
    throw new SnapError('none-available', 'snap: no available snapshot', this.#directory);
  }

  /** Undefined if the file is no snapshot; it is then set aside as `.broken`. */
  async #read(name: string): Promise<RaftSnapshot | undefined> {
    const path = join(this.#directory, name);
    const file = await this.#fs.open(path, { read: true });
    let bytes: Buffer;
    try {
      bytes = await file.read(0, Math.min(await file.size(), MAX_SNAPSHOT_BYTES));
    } finally {
      await file.close();
    }
    try {
      return decodeSnapshotFile(bytes, path);
    } catch (error) {
      if (!(error instanceof SnapError)) throw error;
      this.#logger.warn('failed to read a snap file', { path, error: error.message });
      await this.#fs.rename(path, `${path}.broken`);
      return undefined;
    }
  }

  async #write(path: string, bytes: Buffer): Promise<void> {
    const file = await this.#fs.open(path, {
      write: true,
      create: true,
      truncate: true,
      mode: SNAPSHOT_MODE,
    });
    try {
      await file.write([bytes], 0);
      const started = this.#clock.monotonicMillis();
      await file.sync();
      this.#syncSeconds.observe((this.#clock.monotonicMillis() - started) / 1000);
    } finally {
      await file.close();
    }
    await this.#fs.syncDirectory(this.#directory);
  }

  async #removeIfThere(path: string): Promise<void> {
    if ((await this.#fs.stat(path)) !== undefined) await this.#fs.remove(path);
  }
}
