import { isEtcdError } from '../../proto/errors.js';
import type { ConfState } from '../../raft/types.js';
import type { Backend } from '../../storage/backend/backend.js';
import type { WalWriter } from '../../storage/wal/writer.js';
import { LogCompactor, type LogCompactorOptions } from './log-compactor.js';

/** What a snapshot on disk stands for. */
export interface SnapshotPoint {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
}

export interface DiskSnapshotsOptions extends LogCompactorOptions {
  readonly backend: Backend;
  readonly wal: WalWriter;
  /** Entries applied since the last snapshot that make the next one due. */
  readonly snapshotCount: number;
  /**
   * Takes down the membership as it is now. The result writes it to the `.snap` file, which is
   * durable when that resolves.
   */
  readonly captureFile: (point: SnapshotPoint) => () => Promise<void>;
  /** Removes the databases that leaders sent with snapshots before `index`. */
  readonly releaseDatabases: (index: number) => Promise<unknown>;
  /** Resolves when the log on disk says that the entry at `index` is committed. */
  readonly whenCommitSaved: (index: number) => Promise<void>;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Makes snapshots: points of the log before which the backend needs no replay, so that older WAL
 * segments may go. The backend is committed first: on disk it is never behind the snapshot.
 */
export class DiskSnapshots {
  readonly #options: DiskSnapshotsOptions;
  readonly #log: LogCompactor;
  #lastIndex: number;
  #running: Promise<void> | undefined;
  #isForced = false;

  /** @param lastIndex of the snapshot that the member started from */
  constructor(options: DiskSnapshotsOptions, lastIndex: number) {
    this.#options = options;
    this.#lastIndex = lastIndex;
    this.#log = new LogCompactor(options, lastIndex);
  }

  /** Asks for a snapshot at the next advance of the applied index, however few entries came. */
  force(): void {
    this.#isForced = true;
  }

  /** Told of each advance of the applied index. */
  onApplied(index: number): void {
    this.#log.onApplied(index);
    if (this.#running !== undefined) return;
    const isDue = index - this.#lastIndex > this.#options.snapshotCount;
    if (!isDue && !(this.#isForced && index > this.#lastIndex)) return;
    this.#running = this.#save(index)
      .catch((error: unknown) => {
        // A member that stops makes no more snapshots; the next start replays a little more.
        if (!isEtcdError(error, 'Stopped')) this.#options.onFatal(error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Waits for the snapshot that is being made, if any. */
  async settle(): Promise<void> {
    await this.#running;
  }

  /** The state was replaced by that of a snapshot, which is on disk. */
  replaced(index: number): void {
    this.#lastIndex = index;
    this.#log.replaced(index);
  }

  async #save(index: number): Promise<void> {
    const { storage, backend, wal, logger, confState, captureFile } = this.#options;
    const term = storage.term(index);
    if (term === undefined) throw new Error(`the applied entry ${index} is not in the log`);
    const point: SnapshotPoint = { index, term, confState: confState() };
    const saveFile = captureFile(point);
    logger.info('triggering snapshot', {
      'local-member-applied-index': index,
      'local-member-snapshot-index': this.#lastIndex,
      'local-member-snapshot-count': this.#options.snapshotCount,
      'snapshot-forced': this.#isForced,
    });
    this.#isForced = false;
    // Until the commit is durable, the log is the only place that holds the latest changes.
    await backend.commit();
    await saveFile();
    // After a crash the log must not know of a snapshot beyond what it knows to be committed.
    await this.#options.whenCommitSaved(index);
    await wal.saveSnapshot(point);
    wal.releaseTo(index);
    await this.#options.releaseDatabases(index);
    this.#lastIndex = index;
    logger.info('saved snapshot to disk', { 'snapshot-index': index });
  }
}
