import type { DatabaseOptions, RootDatabase, RootDatabaseOptions } from 'lmdb';
import { asBuffer, EMPTY_BYTES, type KeyText } from '../../base/bytes.js';
import { SyncFile } from '../../platform/sync-file.js';
import {
  BackendOpenError,
  type BackendSize,
  BUCKETS,
  mapBuckets,
  type RowBatch,
} from './backend.js';
import { LMDB_PAGE_BYTES } from './lmdb-page.js';
import { LmdbRowPages } from './lmdb-row-pages.js';
import { copyBytes, type LmdbTables, LmdbView } from './lmdb-view.js';
import type { WriteBuffer } from './write-buffer.js';

/**
 * Address space reserved for the file, bytes: twice the largest quota that etcd advises. Beyond
 * it the map is made anew as the file grows, which is slower but works.
 */
const MAP_BYTES = 2 ** 34;

/** Named databases; a few more than there are buckets, for those of later versions. */
const MAX_DATABASES = 32;

/** Snapshots that may be open at a time. */
export const MAX_SNAPSHOTS = 500;

/** Room in LMDB's reader table: the snapshots and the reads of the backend itself. */
const MAX_READERS = MAX_SNAPSHOTS + 12;

/** Node's own, of every Buffer, but missing in its types; a third of the cost of `write`. */
type Latin1Buffer = Buffer & { latin1Write(text: string, offset: number): number };

/** Keys go in as text or bytes and come out as bytes. */
const keyEncoder = {
  writeKey(key: KeyText | Uint8Array, target: Latin1Buffer, start: number): number {
    if (typeof key === 'string') {
      return start + target.latin1Write(key, start);
    }
    target.set(key, start);
    return start + key.length;
  },
  readKey(source: Buffer, start: number, end: number): Buffer {
    const key = Buffer.allocUnsafe(end - start);
    for (let index = start; index < end; index++) {
      key[index - start] = source[index] as number;
    }
    return key;
  },
};

/** Values as they are. Twice as fast as lmdb-js' own binary encoding, for it copies into a pool. */
const valueEncoder = { encode: (value: Uint8Array) => asBuffer(value), decode: copyBytes };

const TABLE_OPTIONS: DatabaseOptions & Pick<RootDatabaseOptions, 'encoder' | 'keyEncoder'> = {
  encoder: valueEncoder,
  keyEncoder,
};

/** Fills pages to the brim, without a search for the place of each row. */
const APPEND = { append: true };

/** In bucket `meta`, but never for longer than a transaction; no etcd has such a key there. */
const PASSING_KEY = Buffer.alloc(1);

/** What lmdb-js' getStats tells, as far as it is used here. */
interface TableStats {
  readonly entryCount: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface EnvironmentStats extends TableStats {
  readonly lastTxnId: number;
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TableStats;
  readonly free: TableStats;
}

export interface LmdbEnvironmentOptions {
  /** Never wait for the disk: commits may be lost, and the file broken, by a power failure. */
  readonly noSync: boolean;
}

/**
 * One LMDB file through lmdb-js.
 *
 * It is opened without `overlappingSync`: a commit is then durable when its promise resolves, and
 * LMDB's well-tried two meta pages guard against a crash.
 */
export class LmdbEnvironment {
  /** The newest committed state. */
  readonly current: LmdbView;
  readonly #root: RootDatabase<Buffer, KeyText | Uint8Array>;
  /** For reading whole tables. */
  readonly #file: SyncFile;
  readonly #tables: LmdbTables;
  readonly #snapshots = new Set<LmdbView>();
  #onLastSnapshotClosed: (() => void) | undefined;
  #rootClosed: Promise<void> | undefined;
  /** Whether the file's list of free pages is known to have entries. */
  #listsFreePages = false;

  /** Opens or creates a file. Throws {@link BackendOpenError}. */
  static async open(path: string, options: LmdbEnvironmentOptions): Promise<LmdbEnvironment> {
    const { open } = await import('lmdb').catch((error: unknown) => {
      const reason = 'the native module lmdb is not installed (an optional package of npm)';
      throw new BackendOpenError(path, reason, { cause: error });
    });
    try {
      const root = open<Buffer, KeyText | Uint8Array>(path, {
        ...TABLE_OPTIONS,
        noSubdir: true,
        pageSize: LMDB_PAGE_BYTES,
        mapSize: MAP_BYTES,
        maxDbs: MAX_DATABASES,
        maxReaders: MAX_READERS,
        overlappingSync: false,
        noSync: options.noSync,
        // A batch is a batch of ours, never what else happens to be written in the same turn.
        eventTurnBatching: false,
        ...{ permissionsMode: 0o600 },
      });
      // It is the same file under any name that it gets later.
      return new LmdbEnvironment(root, SyncFile.open(path));
    } catch (error) {
      throw new BackendOpenError(path, error instanceof Error ? error.message : String(error), {
        cause: error,
      });
    }
  }

  constructor(root: RootDatabase<Buffer, KeyText | Uint8Array>, file: SyncFile) {
    this.#root = root;
    this.#file = file;
    this.#tables = mapBuckets((bucket) => root.openDB(bucket, TABLE_OPTIONS));
    this.current = new LmdbView(this.#tables, undefined, () => {});
  }

  /** Commits a batch in one transaction; resolves when it is durable. */
  write(batch: WriteBuffer): Promise<void> {
    return this.#transact(() => this.#feed(batch));
  }

  /**
   * Commits rows in one transaction, each behind all that its bucket has by then: the caller sees
   * to it, as LMDB leaves out any other row.
   */
  append(batches: readonly RowBatch[]): Promise<void> {
    return this.#transact(() => {
      for (const { bucket, rows } of batches) {
        const table = this.#tables[bucket];
        for (const [key, value] of rows) leaveToBatch(table.put(key, value, APPEND));
      }
    });
  }

  /** `feed` must not throw: lmdb-js would commit the part that it was given. */
  async #transact(feed: () => void): Promise<void> {
    if (!this.#listsFreePages) await this.#beginFreeList();
    await this.#commit(feed);
  }

  /**
   * Trap: a compacted copy lists no free pages. If the first transaction that frees some frees more
   * of them than have room within a page of that list, about 250, LMDB looks for the last entry of a
   * list without entries, far outside of its page: the process ends, or the list is nonsense. So a
   * small transaction goes first.
   */
  async #beginFreeList(): Promise<void> {
    const { free } = this.#root.getStats() as EnvironmentStats;
    if (free.entryCount === 0) {
      const { meta } = this.#tables;
      // The page of the directory of tables is written anew: the old one is the first entry.
      await this.#commit(() => {
        leaveToBatch(meta.put(PASSING_KEY, EMPTY_BYTES));
        leaveToBatch(meta.remove(PASSING_KEY));
      });
    }
    this.#listsFreePages = true;
  }

  async #commit(feed: () => void): Promise<void> {
    try {
      await this.#root.batch(feed);
    } catch (error) {
      // lmdb-js rejects with a general error whose cause is another promise's rejection.
      const cause: unknown = await (error as { commitError?: Promise<never> }).commitError?.catch(
        (reason: unknown) => reason,
      );
      throw new Error(`commit failed: ${(cause as Error | undefined)?.message ?? String(error)}`, {
        cause: cause ?? error,
      });
    }
  }

  /** Makes reads see the newest commit. */
  refresh(): void {
    this.#root.resetReadTxn();
  }

  /**
   * A view of the newest commit that later ones do not change. No commit may be under way. Throws if
   * too many are open: a full reader table would stop the backend's own reads too.
   */
  snapshot(): LmdbView {
    if (this.#snapshots.size >= MAX_SNAPSHOTS) {
      throw new Error(`${MAX_SNAPSHOTS} snapshots of the backend are open already`);
    }
    this.refresh();
    const onClose = (): void => {
      this.#snapshots.delete(view);
      if (this.#snapshots.size === 0) {
        this.#onLastSnapshotClosed?.();
      }
    };
    const transaction = this.#root.useReadTransaction();
    const { lastTxnId } = this.#root.getStats() as EnvironmentStats;
    const pages = LmdbRowPages.open(this.#file, lastTxnId);
    const view = new LmdbView(this.#tables, transaction, onClose, pages);
    this.#snapshots.add(view);
    return view;
  }

  size(): BackendSize {
    const stats = this.#root.getStats() as EnvironmentStats;
    // The two meta pages, the directory of tables, the list of free pages, the tables.
    let used = 2 + pagesOf(stats.root) + pagesOf(stats.free);
    for (const bucket of BUCKETS) {
      used += pagesOf(this.#tables[bucket].getStats() as TableStats);
    }
    return {
      allocated: (stats.lastPageNumber + 1) * stats.pageSize,
      inUse: used * stats.pageSize,
    };
  }

  /** Writes the newest commit to a new file without the free pages. Does not sync it. */
  copyCompacted(path: string): Promise<void> {
    return this.#root.backup(path, true);
  }

  /** Ends all snapshots and closes the file. */
  async close(): Promise<void> {
    this.current.close();
    for (const snapshot of [...this.#snapshots]) {
      snapshot.close();
    }
    await this.#closeRoot();
  }

  /** Closes the file as soon as the last snapshot of it was closed. */
  async closeWhenUnused(): Promise<void> {
    this.current.close();
    if (this.#snapshots.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onLastSnapshotClosed = resolve;
      });
    }
    await this.#closeRoot();
  }

  #closeRoot(): Promise<void> {
    this.#rootClosed ??= this.#root.close().then(() => this.#file.close());
    return this.#rootClosed;
  }

  #feed(batch: WriteBuffer): void {
    for (const bucket of BUCKETS) {
      const table = this.#tables[bucket];
      for (const row = batch.tables[bucket].cursor(''); row.key !== undefined; row.advance()) {
        if (row.value) {
          leaveToBatch(table.put(row.key, row.value));
        } else {
          leaveToBatch(table.remove(row.key));
        }
      }
    }
  }
}

/**
 * Trap: when a commit fails, lmdb-js rejects the promise of each write in it, and not that of the
 * batch alone: unhandled, they would end the process before anybody hears of the failure.
 */
function leaveToBatch(write: Promise<boolean>): void {
  write.catch(() => {});
}

function pagesOf(stats: TableStats): number {
  return stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
}
