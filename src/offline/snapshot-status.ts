import { crc32c, crc32cRange } from '../base/crc32c.js';
import type { Fs } from '../platform/fs.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import { BboltFile } from '../storage/bbolt/bbolt-file.js';
import { elementsOf, type StoredElement } from '../storage/bbolt/leaf.js';
import { PageUse } from '../storage/bbolt/page-use.js';
import { mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { countUserKeys } from './key-rows.js';
import { LiveKeyCount, type LiveKeyLimits } from './live-key-count.js';
import { SnapshotChecksumError, verifyTrailingHash } from './snapshot-checksum.js';

export { BboltError, SnapshotChecksumError };

/** What `snapshot status` tells of a file (reference: cli 10.1). */
export interface SnapshotSummary {
  /** CRC-32C of the names of all buckets and of all their pairs. */
  readonly hash: number;
  /** Main revision of the last change, 0 if there is none. */
  readonly revision: number;
  /** Keys that exist; before 3.6, all pairs of all buckets. */
  readonly totalKey: number;
  /** Bytes of the pages. */
  readonly totalSize: number;
  /** Version of the schema; empty for data of etcd 3.5 and older, undefined as told before 3.6. */
  readonly version: string | undefined;
}

export interface SnapshotStatus extends SnapshotSummary {
  readonly version: string;
  /** Pairs of all buckets. */
  readonly totalPairs: number;
}

/** The same as told by etcd before 3.6 (reference: cli 9). */
export function summaryBefore36(status: SnapshotStatus): SnapshotSummary {
  const { hash, revision, totalPairs, totalSize } = status;
  return { hash, revision, totalKey: totalPairs, totalSize, version: undefined };
}

export interface SnapshotStatusOptions {
  /** Told now and then how many bytes of how many were read. */
  readonly onProgress?: (read: number, total: number) => void;
  /** How many keys may be in memory at once; default {@link LIVE_KEY_LIMITS}. */
  readonly liveKeyLimits?: LiveKeyLimits;
  /**
   * Checks the hash at the end of the file elsewhere, while the file is summed up here: true if it is
   * right, and false if that must be looked at here. Default: it must.
   */
  readonly provesHash?: (path: string, bytes: number, signal: AbortSignal) => Promise<boolean>;
}

/**
 * Reads every page of a snapshot or of a member's `db`, checks the tree as bbolt's own check does,
 * and sums it up. A hash at the end of the file must be that of what is before it; etcd does not
 * look at it here.
 * @throws BboltError if the file is damaged
 * @throws SnapshotChecksumError if its hash is of something else
 * @throws ErrnoException if it can't be read
 */
export async function snapshotStatus(
  fs: Fs,
  path: string,
  options: SnapshotStatusOptions = {},
): Promise<SnapshotStatus> {
  const file = await BboltFile.open(fs, path);
  const ended = new AbortController();
  try {
    const proof = options.provesHash?.(path, file.bytes, ended.signal);
    const status = await sumUp(file, options);
    // Last, because damage to the tree is told with its place.
    if (!(await proof)) await verifyTrailingHash(fs, path);
    return status;
  } finally {
    ended.abort();
    await file.close();
  }
}

async function sumUp(
  file: BboltFile,
  { onProgress, liveKeyLimits }: SnapshotStatusOptions,
): Promise<SnapshotStatus> {
  const use = new PageUse(file.pageCount);
  const keys = new LiveKeyCount(liveKeyLimits);
  let hash = 0;
  let version = '';
  let revision = 0;
  let read = 0;
  let totalPairs = 0;
  for await (const bucket of file.buckets(use.visit)) {
    hash = crc32c(bucket.name, hash);
    const name = bucket.name.toString('latin1');
    await file.eachLeaf(bucket, use.visit, (leaf) => {
      const { bytes, count, places } = leaf;
      if (count === 0) return;
      const start = places[0] ?? 0;
      const end = places[2 * count] ?? start;
      // Keys and values lie in the order in which they are hashed.
      hash = crc32cRange(bytes, start, end, hash);
      read += end - start;
      totalPairs += count;
      if (name === 'key') {
        countUserKeys(leaf, keys, file.path);
        revision = mainRevisionOf(bytes.subarray(places[2 * count - 2]));
      } else if (name === 'meta') {
        version = elementsOf(leaf).find(isVersion)?.value.toString() ?? version;
      }
      onProgress?.(read, file.bytes);
    });
  }
  await use.checkFreelist(file);
  const totalKey = keys.endPass() ?? (await countTheRest(file, keys));
  return { hash, revision, totalKey, totalPairs, totalSize: file.bytes, version };
}

const VERSION_KEY = Buffer.from('storageVersion');

function isVersion({ key }: StoredElement): boolean {
  return key.equals(VERSION_KEY);
}

/** Further passes over the keys, of which there are too many to be in memory at once. */
async function countTheRest(file: BboltFile, keys: LiveKeyCount): Promise<number> {
  const bucket = await file.bucket('key');
  for (;;) {
    if (bucket !== undefined) {
      await file.eachLeaf(bucket, undefined, (leaf) => countUserKeys(leaf, keys, file.path));
    }
    const counted = keys.endPass();
    if (counted !== undefined) return counted;
  }
}
