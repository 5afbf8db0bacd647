import { join } from 'node:path';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import { EMPTY_CONF_STATE, type Entry } from '../../raft/types.js';
import type { Bucket, Row, RowBatch } from '../../storage/backend/backend.js';
import { databaseRows, type ReadProgress } from '../../storage/bbolt/database-rows.js';
import { SnapError } from '../../storage/snap/snap-error.js';
import { type RaftSnapshot, snapshotDatabaseName } from '../../storage/snap/snapshot-file.js';
import { Snapshotter } from '../../storage/snap/snapshotter.js';
import { hasV2UserData } from '../../storage/snap/v2-store-json.js';
import { readWal, WAL_BEGINNING } from '../../storage/wal/reader.js';
import { isWalFault } from '../../storage/wal/wal-error.js';
import { formatId } from '../membership/member.js';
import { DataDirectoryError, type MemberDirectories } from './directories.js';
import { ForeignDatabase } from './foreign-database.js';
import { loggedMembership } from './logged-membership.js';
import type { ExistingLog } from './open-log.js';
import { checkRow } from './take-over-rows.js';
import { requireSupportedVersions } from './version-rules.js';

/** The database file of a member that another etcd ran, and the one of ours. */
const FOREIGN_DATABASE = 'db';
const OWN_DATABASE = 'db.lmdb';

/** Time between two lines about the progress of an import, ms. */
const PROGRESS_MILLIS = 10_000;

export interface TakeOverOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directories: MemberDirectories;
}

/**
 * Takes over the data directory that another etcd (3.4 to 3.7) left behind, however it ended: its
 * database is copied once into one of ours, beside it, and what only its log tells of the members
 * goes with it. The entries that the database lacks are replayed by the start that follows. A crash
 * in between leaves nothing but a file that the next start makes anew.
 *
 * Does nothing if there is a database of ours already, or none of another etcd. The other etcd's
 * files are only read.
 * @returns whether a database was made
 * @throws DataDirectoryError, VersionError, BboltError, WalError, SnapError
 */
export async function takeOver(options: TakeOverOptions, log: ExistingLog): Promise<boolean> {
  const database = await findDatabase(options, log.start.index);
  if (database === undefined) return false;
  try {
    requireSupportedVersions(database.versions);
    const membership = await membershipOf(options, log, database);
    await importDatabase(options, database, membership);
    return true;
  } finally {
    await database.close();
  }
}

/**
 * Removes the database that {@link takeOver} made in this very start, which failed: the next one
 * imports anew, from files that may have been mended by then.
 */
export async function undoTakeOver({ fs, directories }: TakeOverOptions): Promise<void> {
  const { removeLmdbFile } = await import('../../storage/backend/lmdb-builder.js');
  await removeLmdbFile(fs, join(directories.snap, OWN_DATABASE));
  await fs.syncDirectory(directories.snap);
}

/**
 * Sees that a member that has no log does not begin anew beside the data of another etcd. A database
 * without a key is what an etcd leaves that was stopped in its very first moments.
 * @throws DataDirectoryError
 */
export async function refuseDatabaseWithoutLog(options: TakeOverOptions): Promise<void> {
  const { fs, directories } = options;
  const path = join(directories.snap, FOREIGN_DATABASE);
  if (await hasOwnDatabase(options)) return;
  if ((await fs.stat(path)) === undefined) return;
  const database = await ForeignDatabase.open(fs, path);
  await database.close();
  if (!database.hasKeys && database.consistentIndex === 0) return;
  throw new DataDirectoryError(
    `the data directory holds the database of another etcd (${path}), but there is no log in ${directories.wal}; if the log has a directory of its own, name it with --wal-dir`,
  );
}

async function hasOwnDatabase({ fs, directories }: TakeOverOptions): Promise<boolean> {
  return (await fs.stat(join(directories.snap, OWN_DATABASE))) !== undefined;
}

/**
 * The database to go on from: that of the member, or the one that came with the last snapshot from
 * a leader and did not get to its place (reference: formats 2.3).
 */
async function findDatabase(
  options: TakeOverOptions,
  snapshotIndex: number,
): Promise<ForeignDatabase | undefined> {
  const { fs, directories } = options;
  if (await hasOwnDatabase(options)) return undefined;
  const path = join(directories.snap, FOREIGN_DATABASE);
  let index: number | undefined;
  if ((await fs.stat(path)) !== undefined) {
    const database = await ForeignDatabase.open(fs, path);
    if (database.consistentIndex >= snapshotIndex) return database;
    index = database.consistentIndex;
    await database.close();
  }
  const received = join(directories.snap, snapshotDatabaseName(snapshotIndex));
  if ((await fs.stat(received)) !== undefined) return ForeignDatabase.open(fs, received);
  if (index === undefined) return undefined;
  throw new DataDirectoryError(
    `database file (${path} index ${index}) does not match with snapshot (index ${snapshotIndex})`,
  );
}

/** Rows that take the place of those in the database, by bucket. */
type ReplacedRows = ReadonlyMap<Bucket, readonly Row[]>;

/** From 3.6 on the database is right; before that, what the `.snap` file and the log say. */
async function membershipOf(
  options: TakeOverOptions,
  log: ExistingLog,
  database: ForeignDatabase,
): Promise<ReplacedRows> {
  if (database.versions.storage !== undefined) return new Map();
  const past = await pastOf(options, log);
  if (past === undefined) {
    await requireOwnMembers(options, database);
    return new Map();
  }
  const { store, entries } = past;
  if (store !== undefined && hasV2UserData(store)) {
    throw new DataDirectoryError('detected disallowed custom content in v2store');
  }
  const upTo = database.consistentIndex;
  const { members, removed, clusterVersion } = loggedMembership(log.identity, store, entries, upTo);
  const cluster = database.clusterRows.filter(([key]) => key.toString() !== 'clusterVersion');
  if (clusterVersion !== undefined) {
    cluster.push([Buffer.from('clusterVersion'), Buffer.from(clusterVersion)]);
  }
  cluster.sort(([a], [b]) => a.compare(b));
  return new Map<Bucket, readonly Row[]>([
    ['cluster', cluster],
    ['members', members],
    ['members_removed', removed],
  ]);
}

interface Past {
  /** The v2 store as JSON; undefined if the log begins at its beginning. */
  readonly store: Buffer | undefined;
  readonly entries: readonly Entry[];
}

/** Undefined if it is lost: then the database is all there is to go by. */
async function pastOf(options: TakeOverOptions, log: ExistingLog): Promise<Past | undefined> {
  const { fs, clock, logger, directories } = options;
  if (log.start.index === 0) return { store: undefined, entries: log.entries };
  const snapshotter = new Snapshotter(fs, directories.snap, { clock, logger });
  let snapshot: RaftSnapshot;
  try {
    snapshot = await snapshotter.loadNewestOf(log.snapshots);
  } catch (error) {
    if (!(error instanceof SnapError)) throw error;
    return wholePastOf(options, log, error);
  }
  if (snapshot.index === log.start.index) return { store: snapshot.data, entries: log.entries };
  const { entries } = await readWal(fs, directories.wal, snapshot, { logger });
  return { store: snapshot.data, entries };
}

/** As etcd does without a `.snap` file: it reads the log from its beginning, if that is there. */
async function wholePastOf(
  { fs, logger, directories }: TakeOverOptions,
  log: ExistingLog,
  { message: error }: SnapError,
): Promise<Past | undefined> {
  try {
    const { entries, tail } = await readWal(fs, directories.wal, WAL_BEGINNING, { logger });
    // Trap: the last snapshot may be a leader's, with nothing behind it.
    if (tail.lastIndex >= log.start.index) {
      logger.warn('no snap file tells of the members; going by the whole log', { error });
      return { store: undefined, entries };
    }
  } catch (fault) {
    const isPartial =
      isWalFault(fault, 'file-not-found') || isWalFault(fault, 'slice-out-of-range');
    if (!isPartial) throw fault;
  }
  logger.warn('no snap file tells of the members; going by the database', { error });
  return undefined;
}

/**
 * Sees that the members in a database are those of its member's cluster, by what 3.5 notes of who
 * votes: where nothing else tells of the members, etcd goes no further.
 * @throws DataDirectoryError
 */
async function requireOwnMembers(
  { directories }: TakeOverOptions,
  database: ForeignDatabase,
): Promise<void> {
  const members = (await database.memberRows()).map(([key]) => key.toString('latin1'));
  const { voters, learners } = database.confState ?? EMPTY_CONF_STATE;
  const noted = new Set([...voters, ...learners].map(formatId));
  if (members.length > 0 && members.length === noted.size && members.every((id) => noted.has(id))) {
    return;
  }
  throw new DataDirectoryError(
    `nothing tells of the members: no .snap file in ${directories.snap} can be read, the log in ${directories.wal} does not begin with its first entry, and the members in ${database.file.path} may be those of another cluster`,
  );
}

async function importDatabase(
  { fs, clock, logger, directories }: TakeOverOptions,
  { file, consistentIndex, versions }: ForeignDatabase,
  replaced: ReplacedRows,
): Promise<void> {
  const { createLmdbDatabase } = await import('../../storage/backend/lmdb-builder.js');
  const path = join(directories.snap, OWN_DATABASE);
  const started = clock.monotonicMillis();
  logger.info('importing the database of another etcd', {
    from: file.path,
    to: path,
    bytes: file.bytes,
    'consistent-index': consistentIndex,
    'cluster-version': versions.cluster ?? 'unknown',
  });
  const progress = new ImportProgress(clock, logger, file.bytes);
  const rows = databaseRows(file, {
    onProgress: (read) => progress.note(read),
    onUnknownBucket: (bucket) =>
      logger.warn('left out a bucket that etcd does not know', { bucket }),
    inspect(bucket, element) {
      // Of the bucket `cluster` some rows stay.
      if (bucket === 'cluster' || !replaced.has(bucket)) checkRow(file.path, bucket, element);
    },
  });
  await createLmdbDatabase(fs, path, withReplaced(rows, replaced));
  logger.info('imported the database of another etcd', {
    rows: progress.rows,
    took: `${Math.round(clock.monotonicMillis() - started)}ms`,
  });
  logger.warn(
    'the imported file is kept as it is and not written any more; to go back to another etcd, export the data directory',
    { path: file.path },
  );
}

async function* withReplaced(
  rows: AsyncIterable<RowBatch>,
  replaced: ReplacedRows,
): AsyncGenerator<RowBatch> {
  for await (const batch of rows) if (!replaced.has(batch.bucket)) yield batch;
  for (const [bucket, instead] of replaced) yield { bucket, rows: instead };
}

/** Says now and then how far an import has come. */
class ImportProgress {
  rows = 0;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #totalBytes: number;
  #lastTold: number;

  constructor(clock: Clock, logger: Logger, totalBytes: number) {
    this.#clock = clock;
    this.#logger = logger;
    this.#totalBytes = totalBytes;
    this.#lastTold = clock.monotonicMillis();
  }

  note({ rows, bytes }: ReadProgress): void {
    this.rows = rows;
    const now = this.#clock.monotonicMillis();
    if (now - this.#lastTold < PROGRESS_MILLIS) return;
    this.#lastTold = now;
    const percent = Math.floor((100 * bytes) / this.#totalBytes);
    this.#logger.info('importing the database of another etcd', { rows, progress: `${percent}%` });
  }
}
