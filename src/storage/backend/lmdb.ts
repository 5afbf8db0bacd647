import { join } from 'node:path';
import { asBuffer, keyText } from '../../base/bytes.js';
import { type Gauge, type Histogram, silentGauge, silentHistogram } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { nodeFs } from '../../platform/node-fs.js';
import {
  type Backend,
  BackendOpenError,
  type BackendSize,
  type BackendSnapshot,
  type Bucket,
  type Row,
  type RowSource,
  requireStorableKey,
} from './backend.js';
import { type BatchLimits, BatchTimer } from './batch-timer.js';
import { CommitQueue } from './commit-queue.js';
import {
  buildingPath,
  buildLmdbFile,
  LOCK_SUFFIX,
  removeLmdbFile,
  syncFile,
} from './lmdb-builder.js';
import { LmdbEnvironment, type LmdbEnvironmentOptions } from './lmdb-environment.js';
import { checkLmdbFile } from './lmdb-file-check.js';
import { mergeRows } from './merge-rows.js';
import type { RowCursor } from './sorted-rows.js';
import type { BufferedValue } from './write-buffer.js';

/**
 * Name of the file in the backend's directory; LMDB puts its reader table beside it, with `-lock`
 * at the end. The name `db` is left to etcd's own format.
 */
export const LMDB_FILE_NAME = 'db.lmdb';
/** Where a defragmentation writes; left over only by a crash, and removed at the next start. */
const DEFRAGMENT_FILE_NAME = 'db.lmdb.defragment';

export interface LmdbBackendMetrics {
  /** Seconds that a commit took. */
  readonly commitSeconds?: Histogram;
  /** Seconds that a defragmentation took. */
  readonly defragmentSeconds?: Histogram;
  readonly allocatedBytes?: Gauge;
  readonly inUseBytes?: Gauge;
}

export interface LmdbBackendOptions extends BatchLimits {
  /** Exists already. */
  readonly directory: string;
  readonly clock: Clock;
  /** Never wait for the disk (--unsafe-no-fsync): a power failure may break the file. */
  readonly noSync?: boolean;
  /**
   * Called once, when a commit failed (disk full, I/O error). The backend still answers reads, but
   * nothing is committed any more: the member has to stop.
   */
  readonly onFatal?: (error: Error) => void;
  readonly metrics?: LmdbBackendMetrics;
  /**
   * Check the whole file before it is opened, so that a damaged one is refused rather than ending the
   * process; otherwise only what does not take reading all of it.
   */
  readonly checkWholeFile?: boolean;
  /** Told now and then how many bytes of how many were checked. */
  readonly onCheckProgress?: (read: number, total: number) => void;
  readonly fs?: Fs;
}

/**
 * The state of a member in one LMDB file.
 *
 * Reads look at three places: the pending writes, the batches that LMDB is committing in its own
 * thread, and LMDB's newest commit. The file must not be open elsewhere; the lock of the data
 * directory sees to that.
 */
export class LmdbBackend implements Backend {
  readonly #options: LmdbBackendOptions;
  readonly #fs: Fs;
  readonly #environmentOptions: LmdbEnvironmentOptions;
  readonly #queue: CommitQueue;
  #environment: LmdbEnvironment;
  #size: BackendSize;
  #defragmenting: Promise<void> | undefined;
  /** The last piece of work on the file as a whole; settled if none is under way. */
  #fileWork: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  /** The hook may write while the backend closes; nobody else may. */
  #inPreCommitHook = false;
  /** Replaced environments whose snapshots are still read. */
  readonly #retired = new Set<LmdbEnvironment>();

  /**
   * Opens or creates the store in `options.directory`. Throws BackendOpenError for a file that is
   * not ours, damaged where it can be told before LMDB maps it, or not accessible.
   */
  static async open(options: LmdbBackendOptions): Promise<LmdbBackend> {
    const fs = options.fs ?? nodeFs;
    const path = join(options.directory, LMDB_FILE_NAME);
    if (!(await fs.stat(options.directory))?.isDirectory) {
      throw new BackendOpenError(path, 'its directory does not exist');
    }
    await removeLeftovers(fs, options.directory);
    const leaves = options.checkWholeFile ?? false;
    const onProgress = options.onCheckProgress;
    const isNew = !(await checkLmdbFile(fs, path, { leaves, onProgress }));
    const environment = await LmdbEnvironment.open(path, { noSync: options.noSync ?? false });
    if (isNew) {
      await fs.syncDirectory(options.directory);
    }
    return new LmdbBackend(options, fs, environment);
  }

  private constructor(options: LmdbBackendOptions, fs: Fs, environment: LmdbEnvironment) {
    this.#options = options;
    this.#fs = fs;
    this.#environmentOptions = { noSync: options.noSync ?? false };
    this.#environment = environment;
    this.#size = environment.size();
    this.#queue = new CommitQueue({
      newTimer: (onDue) => new BatchTimer(options.clock, options, onDue),
      write: async (batch) => {
        const started = options.clock.monotonicMillis();
        await this.#environment.write(batch);
        const millis = options.clock.monotonicMillis() - started;
        (options.metrics?.commitSeconds ?? silentHistogram).observe(millis / 1000);
      },
      onCommitted: () => {
        this.#environment.refresh();
        this.#refreshSize();
      },
      openSnapshot: () => this.#environment.snapshot(),
      onFatal: (error) => options.onFatal?.(error),
    });
    this.#refreshSize();
  }

  get(bucket: Bucket, key: Uint8Array): Buffer | undefined {
    this.#requireOpen();
    const buffered = this.#queue.get(bucket, key);
    if (buffered !== undefined) {
      return buffered ?? undefined;
    }
    return this.#environment.current.get(bucket, key);
  }

  range(bucket: Bucket, start: Uint8Array, end?: Uint8Array, limit?: number): Iterable<Row> {
    this.#requireOpen();
    const endText = end === undefined ? undefined : keyText(end);
    const layers: RowCursor<BufferedValue>[] = [];
    const startText = keyText(start);
    for (const buffer of this.#queue.layers()) {
      const cursor = buffer.tables[bucket].cursor(startText);
      if (cursor.key !== undefined && (endText === undefined || cursor.key < endText)) {
        layers.push(cursor);
      }
    }
    const view = this.#environment.current;
    return layers.length === 0
      ? view.range(bucket, start, end, limit)
      : mergeRows(
          view.range(bucket, start, end),
          layers,
          endText,
          limit ?? Number.POSITIVE_INFINITY,
        );
  }

  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void {
    this.#requireOpen();
    requireStorableKey(key);
    this.#queue.set(bucket, keyText(key), asBuffer(value));
  }

  delete(bucket: Bucket, key: Uint8Array): void {
    this.#requireOpen();
    requireStorableKey(key);
    this.#queue.set(bucket, keyText(key), null);
  }

  setPreCommitHook(hook: () => void): void {
    this.#queue.setPreCommitHook(() => {
      this.#inPreCommitHook = true;
      try {
        hook();
      } finally {
        this.#inPreCommitHook = false;
      }
    });
  }

  async commit(): Promise<void> {
    this.#requireOpen();
    await this.#queue.commit();
  }

  async snapshot(): Promise<BackendSnapshot> {
    this.#requireOpen();
    return this.#queue.snapshot();
  }

  backpressure(): Promise<void> | undefined {
    return this.#queue.backpressure();
  }

  /** As of the last commit. */
  size(): BackendSize {
    return this.#size;
  }

  /**
   * Reads and writes go on meanwhile; commits wait until it is done. A crash leaves either the old
   * file or the new one.
   */
  async defragment(): Promise<void> {
    this.#requireOpen();
    this.#defragmenting ??= this.#exclusively(() => this.#defragment()).finally(() => {
      this.#defragmenting = undefined;
    });
    await this.#defragmenting;
  }

  /** The new contents are built beside the old file, which they then replace by renaming. */
  async replaceWith(source: RowSource, adopt: () => void = () => {}): Promise<void> {
    this.#requireOpen();
    await this.#exclusively(() => this.#replace(source, adopt));
  }

  /** Commits, ends all snapshots and closes. Rejects if the last commit failed. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  /** One piece of work on the file as a whole after the other. */
  #exclusively(work: () => Promise<void>): Promise<void> {
    const done = this.#fileWork.then(work);
    this.#fileWork = done.catch(() => {});
    return done;
  }

  async #defragment(): Promise<void> {
    const started = this.#options.clock.monotonicMillis();
    const copyPath = join(this.#options.directory, DEFRAGMENT_FILE_NAME);
    // What is written but not committed stays in the buffers and goes to the new file.
    await this.#queue.pause();
    try {
      await this.#environment.copyCompacted(copyPath);
      await syncFile(this.#fs, copyPath);
      await this.#replaceFile(copyPath, () => {});
    } catch (error) {
      await removeLmdbFile(this.#fs, copyPath);
      throw error;
    } finally {
      this.#queue.resume();
    }
    const millis = this.#options.clock.monotonicMillis() - started;
    (this.#options.metrics?.defragmentSeconds ?? silentHistogram).observe(millis / 1000);
  }

  async #replace(source: RowSource, adopt: () => void): Promise<void> {
    const newPath = buildingPath(join(this.#options.directory, LMDB_FILE_NAME));
    try {
      await buildLmdbFile(this.#fs, newPath, source);
      await this.#queue.pause();
      await this.#replaceFile(newPath, () => {
        this.#queue.discard();
        adopt();
      });
    } catch (error) {
      await removeLmdbFile(this.#fs, newPath);
      throw error;
    } finally {
      this.#queue.resume();
    }
  }

  /**
   * Puts a new file, synced, into the place of the old one, which stays open until the last
   * snapshot of it is closed. `adopt` is called in the turn in which reads begin to see the new one.
   */
  async #replaceFile(newPath: string, adopt: () => void): Promise<void> {
    const { directory } = this.#options;
    const path = join(directory, LMDB_FILE_NAME);
    // Opened under its temporary name, for a reader table of its own: the old file's is in use.
    const next = await LmdbEnvironment.open(newPath, this.#environmentOptions);
    try {
      await this.#fs.rename(newPath + LOCK_SUFFIX, path + LOCK_SUFFIX);
      await this.#fs.rename(newPath, path);
    } catch (error) {
      await next.close();
      throw error;
    }
    const old = this.#environment;
    this.#environment = next;
    this.#retired.add(old);
    void old.closeWhenUnused().finally(() => this.#retired.delete(old));
    this.#refreshSize();
    try {
      adopt();
      await this.#fs.syncDirectory(directory);
    } catch (error) {
      // The member is neither the old nor the new one, or a power failure may bring the old file
      // back: nothing may be committed to the new one.
      this.#queue.fail(error as Error);
      throw error;
    }
  }

  async #close(): Promise<void> {
    await this.#fileWork;
    try {
      await this.#queue.close();
    } finally {
      await Promise.all([...this.#retired].map((retired) => retired.close()));
      await this.#environment.close();
    }
  }

  #refreshSize(): void {
    this.#size = this.#environment.size();
    const { metrics } = this.#options;
    (metrics?.allocatedBytes ?? silentGauge).set(this.#size.allocated);
    (metrics?.inUseBytes ?? silentGauge).set(this.#size.inUse);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined && !this.#inPreCommitHook) {
      throw new Error('the backend is closed');
    }
  }
}

async function removeLeftovers(fs: Fs, directory: string): Promise<void> {
  await removeLmdbFile(fs, join(directory, DEFRAGMENT_FILE_NAME));
  await removeLmdbFile(fs, buildingPath(join(directory, LMDB_FILE_NAME)));
}
