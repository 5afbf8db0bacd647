/** etcd's buckets (reference: formats). The order is the byte order of the names. */
export const BUCKETS = [
  'alarm',
  'auth',
  'authRoles',
  'authUsers',
  'cluster',
  'key',
  'lease',
  'members',
  'members_removed',
  'meta',
] as const;

export type Bucket = (typeof BUCKETS)[number];

/**
 * Longest key, bytes: LMDB's limit at pages of 4,096 bytes.
 * Trap: bbolt allows 32,768. Revisions and ids fit; names of users and roles must be checked.
 */
export const MAX_KEY_BYTES = 1978;

/** False for a key that no backend stores. */
export function isStorableKey(key: Uint8Array): boolean {
  return key.length > 0 && key.length <= MAX_KEY_BYTES;
}

/** Throws a RangeError for a key that no backend stores. */
export function requireStorableKey(key: Uint8Array): void {
  if (!isStorableKey(key)) {
    throw new RangeError(`a backend key must have 1 to ${MAX_KEY_BYTES} bytes, not ${key.length}`);
  }
}

/** One of something for each bucket. */
export function mapBuckets<T>(make: (bucket: Bucket) => T): Record<Bucket, T> {
  return Object.fromEntries(BUCKETS.map((bucket) => [bucket, make(bucket)])) as Record<Bucket, T>;
}

/** The store cannot be opened: absent rights, foreign or damaged file, missing native module. */
export class BackendOpenError extends Error {
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`cannot open the backend ${path}: ${reason}`, options);
    this.name = 'BackendOpenError';
    this.path = path;
    this.reason = reason;
  }
}

/** One row: key and value. The receiver may keep the bytes, but not change them. */
export type Row = readonly [key: Buffer, value: Buffer];

/** Is shown a row where it lies: its key, and its value right behind. Must not keep the bytes. */
export type RowVisitor = (source: Buffer, keyAt: number, valueAt: number, end: number) => void;

/** Some neighbouring rows of one bucket. */
export interface RowBatch {
  readonly bucket: Bucket;
  readonly rows: readonly Row[];
}

/**
 * The contents of a backend as a stream. The keys of each bucket ascend over all its batches;
 * batches of different buckets may come in any order. A batch should be small (a few megabytes).
 */
export type RowSource = AsyncIterable<RowBatch> | Iterable<RowBatch>;

/** A view of the backend that later writes do not change. Must be closed. */
export interface BackendSnapshot {
  get(bucket: Bucket, key: Uint8Array): Buffer | undefined;
  /**
   * Rows with start <= key < end, ascending; `end` undefined: to the end of the bucket; at most
   * `limit` of them if given (0: none). Bounds have at most {@link MAX_KEY_BYTES} bytes. May be read over many turns of the event loop.
   */
  range(bucket: Bucket, start: Uint8Array, end?: Uint8Array, limit?: number): Iterable<Row>;
  /** All rows of a bucket, ascending, where that is faster than {@link range}. */
  scan?(bucket: Bucket): Iterable<Row>;
  /**
   * As {@link scan}, without objects for the rows: shows some of them at each step. Undefined where
   * that cannot be had.
   * @param lengthsOnly values need not be there: only where they would end counts
   */
  visit?(bucket: Bucket, visit: RowVisitor, lengthsOnly: boolean): Iterable<void> | undefined;
  close(): void;
}

/** Bytes on disk. */
export interface BackendSize {
  /** Allocated bytes: what the quota counts. */
  readonly allocated: number;
  /** Allocated less free pages. */
  readonly inUse: number;
}

/**
 * The state of one member: named buckets of sorted pairs.
 *
 * Writes are visible to reads at once and become durable with the next commit; commits are batched
 * (`batchIntervalMillis`, `batchLimit`) because the WAL, not the backend, makes a write durable.
 * A batch is atomic: what one turn of the event loop wrote is never split between two commits,
 * unless that turn itself calls `commit`, `snapshot`, `defragment` or `close`.
 * All methods but `commit`, `defragment` and `close` are synchronous and never wait for the disk.
 */
export interface Backend {
  get(bucket: Bucket, key: Uint8Array): Buffer | undefined;
  /**
   * As {@link BackendSnapshot.range}, over committed and pending rows, but valid for this turn of
   * the event loop only. Writing while iterating is allowed; rows written ahead of the iteration
   * may or may not be seen.
   */
  range(bucket: Bucket, start: Uint8Array, end?: Uint8Array, limit?: number): Iterable<Row>;
  /**
   * `key` is 1 to {@link MAX_KEY_BYTES} bytes, else a RangeError. The backend may keep `value` without a copy: the caller must not
   * change its bytes afterwards.
   */
  put(bucket: Bucket, key: Uint8Array, value: Uint8Array): void;
  delete(bucket: Bucket, key: Uint8Array): void;
  /**
   * Called before each commit, to write what must go into the same batch (consistent index, term,
   * confState). May call put and delete.
   */
  setPreCommitHook(hook: () => void): void;
  /**
   * Commits what was written before the call, and perhaps more; resolves when it is durable.
   * Rejects, as all later calls do, if a commit failed: the member has to stop then.
   */
  commit(): Promise<void>;
  /**
   * Undefined while the disk keeps up with the writes. Otherwise too many writes wait for a
   * commit, and whoever produces them must wait for the promise before it goes on.
   */
  backpressure(): Promise<void> | undefined;
  /**
   * A consistent view of all that was written before the call, the pre-commit hook's writes
   * included, and of nothing that was written after it.
   */
  snapshot(): Promise<BackendSnapshot>;
  size(): BackendSize;
  /** Rewrites the store without its free pages. Commits wait meanwhile, reads and writes do not. */
  defragment(): Promise<void>;
  /**
   * Replaces the whole contents by those of a source, durably; after a crash either the old or the
   * new ones are there, never a mixture. While the source is read the old contents are read and
   * written as ever. Then, in one turn of the event loop, what they had pending is dropped (commits
   * that wait for it resolve, snapshots that wait reject; open snapshots go on), the new contents
   * take their place, and `adopt` is called: there the caller loads anew all that it derived from
   * the old ones, or the next pre-commit hook writes it into the new. If the source throws, or the
   * disk refuses, the old contents stay and the error is passed on; if `adopt` throws, nothing is
   * committed any more.
   */
  replaceWith(source: RowSource, adopt?: () => void): Promise<void>;
  /** Commits and closes. */
  close(): Promise<void>;
}
