import { join } from 'node:path';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { BackendSnapshot } from '../../storage/backend/backend.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../storage/backend/lmdb.js';
import { writeBboltFile } from '../../storage/bbolt/write-file.js';
import { Snapshotter } from '../../storage/snap/snapshotter.js';
import { encodeV2Store } from '../../storage/snap/v2-store-json.js';
import { haveWal } from '../../storage/wal/segments.js';
import { WalWriter } from '../../storage/wal/writer.js';
import { RestoreTarget, type TakeDirectory } from '../restore/restore-target.js';
import { ExportError } from './export-error.js';
import { type ExportTarget, exportedImage, verifyImage } from './exported-database.js';
import { type ExportedMember, type MemberSource, readExportedMember } from './exported-member.js';

export { BackendOpenError } from '../../storage/backend/backend.js';
export { BboltError } from '../../storage/bbolt/bbolt-error.js';
export { WalError } from '../../storage/wal/wal-error.js';
export { RestoreError } from '../restore/restore-target.js';
export { ExportError, type ExportTarget };

/** Entries of the log that are written at a time. */
const ENTRIES_PER_SAVE = 1000;

export interface ExportOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The data directory of a member of ours, which no server uses. */
  readonly dataDirectory: string;
  /** Where its log is. */
  readonly walDirectory: string;
  /** Where the new data directory is made: absent or empty. */
  readonly outputDirectory: string;
  readonly target: ExportTarget;
  readonly decodeMember: MemberSource['decodeMember'];
  /** Takes a directory for this process; rejects if a server of ours has it. */
  readonly takeDirectory: TakeDirectory;
  /** Told now and then how many bytes of how many were written or checked. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was exported. */
export interface ExportSummary {
  /** Raft index and term up to which the database goes. */
  readonly index: number;
  readonly term: number;
  /** Entries of the log that follow. */
  readonly entries: number;
  /** Bytes of the database file. */
  readonly bytes: number;
}

/**
 * Makes of a data directory of ours one that a real etcd from 3.4 on serves: the same member of the
 * same cluster in the same term, with all keys, revisions, leases and users. Its log begins with a
 * snapshot of the database, since ours may hold entries that older releases can't read; those that
 * the database lacks follow.
 *
 * It is made under a passing name and checked before it gets its own, so that it is there whole or
 * not at all. The source is only read.
 * @throws ExportError, RestoreError (for the output), BackendOpenError, WalError, BboltError,
 *   DirectoryLockedError, ErrnoException
 */
export async function exportDataDirectory(options: ExportOptions): Promise<ExportSummary> {
  const { fs, dataDirectory, walDirectory, outputDirectory, takeDirectory } = options;
  const snapDirectory = join(dataDirectory, 'member', 'snap');
  if ((await fs.stat(join(snapDirectory, LMDB_FILE_NAME))) === undefined) {
    throw new ExportError(
      `${dataDirectory} is no data directory of etcdkit: there is no ${join('member', 'snap', LMDB_FILE_NAME)}`,
    );
  }
  if (!(await haveWal(fs, walDirectory))) {
    throw new ExportError(
      `there is no log in ${walDirectory}; if it has a directory of its own, name it with --wal-dir`,
    );
  }
  await RestoreTarget.check(fs, outputDirectory, join(outputDirectory, 'member', 'wal'));
  // The place that a server takes, too.
  const lock = await takeDirectory(join(dataDirectory, 'member'));
  try {
    return await withSnapshot(options, snapDirectory, (snapshot) => exportFrom(snapshot, options));
  } finally {
    await lock.release();
  }
}

async function withSnapshot<T>(
  { fs, clock }: ExportOptions,
  directory: string,
  work: (snapshot: BackendSnapshot) => Promise<T>,
): Promise<T> {
  const backend = await LmdbBackend.open({ fs, clock, directory, checkWholeFile: true });
  try {
    const snapshot = await backend.snapshot();
    try {
      return await work(snapshot);
    } finally {
      snapshot.close();
    }
  } finally {
    await backend.close();
  }
}

async function exportFrom(
  snapshot: BackendSnapshot,
  options: ExportOptions,
): Promise<ExportSummary> {
  const { fs, outputDirectory, takeDirectory } = options;
  const member = await readExportedMember({ ...options, snapshot });
  const target = await RestoreTarget.prepare(
    fs,
    outputDirectory,
    join(outputDirectory, 'member', 'wal'),
    takeDirectory,
  );
  try {
    const bytes = await writeDatabase(snapshot, target.snapDirectory, options);
    await writeLog(member, target, options);
    await target.finish();
    return { index: member.index, term: member.term, entries: member.entries.length, bytes };
  } catch (error) {
    await target.discard();
    throw error;
  }
}

async function writeDatabase(
  snapshot: BackendSnapshot,
  directory: string,
  { fs, target, onProgress = () => {} }: ExportOptions,
): Promise<number> {
  const path = join(directory, 'db');
  const source = exportedImage(snapshot, target);
  const bytes = await writeBboltFile(fs, path, source, {
    onProgress: (written, total) => onProgress(written, 2 * total),
  });
  await verifyImage(fs, path, source, (read, total) => onProgress(total + read, 2 * total));
  return bytes;
}

/** Trap: the `.snap` file comes before the record in the log, which vouches for it. */
async function writeLog(
  { metadata, index, term, confState, membership, hardState, entries }: ExportedMember,
  { snapDirectory, walDirectory }: RestoreTarget,
  { fs, clock, logger }: ExportOptions,
): Promise<void> {
  const snapshotter = new Snapshotter(fs, snapDirectory, { clock, logger });
  await snapshotter.save({ index, term, confState, data: encodeV2Store(membership) });
  const wal = await WalWriter.create(fs, walDirectory, metadata, { clock, logger });
  try {
    await wal.saveSnapshot({ index, term, confState });
    for (let at = 0; at < entries.length; at += ENTRIES_PER_SAVE) {
      await wal.save(undefined, entries.slice(at, at + ENTRIES_PER_SAVE));
    }
    await wal.save(hardState, []);
    await wal.sync();
  } finally {
    await wal.close();
  }
}
