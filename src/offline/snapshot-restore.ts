import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from '../base/logger.js';
import type { Clock } from '../platform/clock.js';
import { isSystemError } from '../platform/errno.js';
import { fileErrorText } from '../platform/file-error-text.js';
import type { FileHandle, Fs } from '../platform/fs.js';
import { BackendOpenError } from '../storage/backend/backend.js';
import { createLmdbDatabase } from '../storage/backend/lmdb-builder.js';
import { checkLmdbFile } from '../storage/backend/lmdb-file-check.js';
import { amendBboltFile } from '../storage/bbolt/amend-file.js';
import { BboltFile } from '../storage/bbolt/bbolt-file.js';
import { PageUse } from '../storage/bbolt/page-use.js';
import { WalError } from '../storage/wal/wal-error.js';
import { fileChunks } from './file-chunks.js';
import { userKeyOf } from './key-rows.js';
import { RestoreError, RestoreTarget, type TakeDirectory } from './restore/restore-target.js';
import { writeRestoredLog } from './restore/restored-log.js';
import {
  latestRevision,
  planChanges,
  type RestoredCluster,
  type RowChanges,
  restoredRows,
  withAllBuckets,
} from './restore/restored-rows.js';
import {
  HASH_BYTES,
  hasTrailingHash,
  mismatchText,
  SnapshotChecksumError,
  verifyTrailingHash,
} from './snapshot-checksum.js';

export { BboltError } from '../storage/bbolt/bbolt-error.js';
export type { RestoredCluster };
export { RestoreError, SnapshotChecksumError };

/** Who can serve what was restored: this program, or also an etcd. */
export type RestoreFormat = 'etcdkit' | 'etcd';

/** The database of a member of ours, and of an etcd, in its snap directory. */
const DATABASE_NAMES = { etcdkit: 'db.lmdb', etcd: 'db' } as const;

export interface SnapshotRestoreOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A file of `snapshot save`, or a copy of a member's `db`. */
  readonly path: string;
  readonly dataDirectory: string;
  readonly walDirectory: string;
  readonly cluster: RestoredCluster;
  readonly format: RestoreFormat;
  /** Whether a missing or wrong hash at the end of the file does not matter. */
  readonly skipsHashCheck: boolean;
  /** Revisions to add to the highest one, all of which then count as compacted; 0: none. */
  readonly bumpRevision: bigint;
  /** Shown in the log alone: there is no memory map. */
  readonly initialMemoryMapBytes: bigint;
  /** Keeps two restores from meeting in one place. */
  readonly takeDirectory?: TakeDirectory;
  /** Told now and then how many bytes of how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the restore, which then rejects with the reason; what was made is removed. */
  readonly signal?: AbortSignal;
}

/**
 * Makes the data directory of a member of a new cluster from a snapshot (reference: cli 10.2,
 * formats 5.3). It is made and checked under a passing name, so that it is there whole or not at
 * all.
 *
 * Trap: etcd finds a wrong hash only after it has written the database, and leaves that behind.
 * @throws RestoreError, SnapshotChecksumError with etcd's texts
 * @throws BboltError if the snapshot is damaged
 * @throws ErrnoException if it can't be read, or the directory not be written
 */
export async function restoreSnapshot(options: SnapshotRestoreOptions): Promise<void> {
  const { fs, logger, dataDirectory, walDirectory } = options;
  await RestoreTarget.check(fs, dataDirectory, walDirectory);
  const fields = {
    path: options.path,
    'wal-dir': walDirectory,
    'data-dir': dataDirectory,
    'snap-dir': join(dataDirectory, 'member', 'snap'),
    'initial-memory-map-size': Number(options.initialMemoryMapBytes),
  };
  logger.info('restoring snapshot', fields);
  const source = await fs.open(options.path, { read: true });
  try {
    await restoreFrom(source, options);
  } finally {
    await source.close();
  }
  logger.info('restored snapshot', fields);
}

async function restoreFrom(source: FileHandle, options: SnapshotRestoreOptions): Promise<void> {
  const { fs, clock, dataDirectory, walDirectory, takeDirectory, format, cluster } = options;
  const size = await source.size();
  if (!hasTrailingHash(size) && !options.skipsHashCheck) {
    const message = 'snapshot missing hash but --skip-hash-check=false';
    const hint = "a copy of a member's db has no hash: restore it with --skip-hash-check";
    throw new RestoreError(message, undefined, hint);
  }
  const target = await RestoreTarget.prepare(fs, dataDirectory, walDirectory, takeDirectory);
  const path = join(target.snapDirectory, DATABASE_NAMES[format]);
  try {
    await (format === 'etcd' ? restoreBbolt : restoreLmdb)(source, path, options);
    logMembers(options);
    const { snapDirectory, walDirectory: madeWal } = target;
    await writeRestoredLog({ fs, clock, walDirectory: madeWal, snapDirectory }, cluster);
    options.signal?.throwIfAborted();
    await target.finish();
  } catch (error) {
    await target.discard();
    throw restoreError(error, path);
  }
}

/**
 * What the disk refuses is told in Go's words; what is a fault of ours stays what it is.
 * @param path what is most likely meant by an error that names none
 */
function restoreError(error: unknown, path: string): unknown {
  if (error instanceof WalError || error instanceof BackendOpenError) {
    const { cause } = error;
    return isSystemError(cause)
      ? restoreError(cause, path)
      : new RestoreError(error.message, error);
  }
  if (!isSystemError(error)) return error;
  const text = fileErrorText(error.syscall ?? 'write', error.path ?? path, error);
  return new RestoreError(text, error);
}

function logMembers({ logger, cluster }: SnapshotRestoreOptions): void {
  for (const { id, peerUrls } of cluster.peers) {
    logger.info('added member', {
      'cluster-id': cluster.clusterId.toString(16),
      'local-member-id': '0',
      'added-peer-id': id.toString(16),
      'added-peer-peer-urls': peerUrls,
      'added-peer-is-learner': false,
    });
  }
}

/** The pages as they are, with the few that change behind them; then every page is checked. */
async function restoreBbolt(
  source: FileHandle,
  path: string,
  options: SnapshotRestoreOptions,
): Promise<void> {
  const { fs } = options;
  await copyPages(source, path, options);
  const copy = await BboltFile.open(fs, path);
  let amendment: Parameters<typeof amendBboltFile>[2];
  try {
    const { replaced, lastKeyRow } = await plan(copy, options);
    amendment = {
      replaced: await withAllBuckets(copy, replaced),
      ...(lastKeyRow === undefined ? {} : { appended: { bucket: 'key', row: lastKeyRow } }),
    };
  } finally {
    await copy.close();
  }
  await amendBboltFile(fs, path, amendment);
  await checkBbolt(fs, path, options.signal);
}

/** @throws the reason to stop, if there is one */
function report({ onProgress, signal }: SnapshotRestoreOptions, done: number, total: number): void {
  signal?.throwIfAborted();
  onProgress?.(done, total);
}

/** Writes what is before the hash, and compares the hash. */
async function copyPages(
  source: FileHandle,
  path: string,
  options: SnapshotRestoreOptions,
): Promise<void> {
  const { fs, skipsHashCheck } = options;
  const size = await source.size();
  const end = hasTrailingHash(size) ? size - HASH_BYTES : size;
  const hash = skipsHashCheck ? undefined : createHash('sha256');
  const file = await fs.open(path, { write: true, exclusive: true });
  try {
    let written = 0;
    for await (const chunk of fileChunks(source, end)) {
      const writing = file.write([chunk], written);
      hash?.update(chunk);
      await writing;
      written += chunk.length;
      report(options, written, size);
    }
  } finally {
    await file.close();
  }
  if (hash === undefined) return;
  const computed = hash.digest();
  const stored = await source.read(end, HASH_BYTES);
  if (!computed.equals(stored)) throw new SnapshotChecksumError(mismatchText(stored, computed));
}

/** Walks over all that was made, as bbolt's own check does. @throws BboltError */
async function checkBbolt(fs: Fs, path: string, signal?: AbortSignal): Promise<void> {
  const file = await BboltFile.open(fs, path);
  try {
    const use = new PageUse(file.pageCount);
    for await (const bucket of file.buckets(use.visit)) {
      const isKeys = bucket.name.toString('latin1') === 'key';
      for await (const rows of file.rows(bucket, use.visit)) {
        signal?.throwIfAborted();
        if (isKeys) for (const row of rows) userKeyOf(row, path);
      }
    }
  } finally {
    await file.close();
  }
}

/** The rows into a database of ours. The hash is compared first, so that nothing is done in vain. */
async function restoreLmdb(
  source: FileHandle,
  path: string,
  options: SnapshotRestoreOptions,
): Promise<void> {
  const { fs, skipsHashCheck, logger } = options;
  const size = await source.size();
  const total = skipsHashCheck ? size : 2 * size;
  if (!skipsHashCheck) {
    await verifyTrailingHash(fs, options.path, (read) => report(options, read, total));
  }
  const file = await BboltFile.open(fs, options.path);
  try {
    const changes = await plan(file, options);
    const rows = restoredRows(file, changes, {
      onProgress: ({ bytes }) => report(options, total - size + bytes, total),
      onUnknownBucket: (name) => logger.warn('left out a bucket that no etcd knows', { name }),
    });
    await createLmdbDatabase(fs, path, rows);
  } finally {
    await file.close();
  }
  await checkLmdbFile(fs, path, { leaves: true });
}

async function plan(file: BboltFile, options: SnapshotRestoreOptions): Promise<RowChanges> {
  const { logger, bumpRevision, cluster } = options;
  logger.info('Trimming membership information from the backend...');
  if (bumpRevision === 0n) return planChanges(file, cluster, undefined);
  const latest = await latestRevision(file);
  const bumped = BigInt(latest) + bumpRevision;
  if (bumped > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RestoreError(`--bump-revision ${bumpRevision} is too large`);
  }
  logger.info('bumping latest revision', {
    'latest-revision': latest,
    'bump-amount': Number(bumpRevision),
    'new-latest-revision': Number(bumped),
  });
  const changes = await planChanges(file, cluster, Number(bumped));
  logger.info('marking revision compacted', { revision: Number(bumped) });
  return changes;
}
