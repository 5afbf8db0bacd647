import { join } from 'node:path';
import type { Logger } from '../base/logger.js';
import type { Clock } from '../platform/clock.js';
import { acquireDirectoryLock } from '../platform/directory-lock.js';
import { lockFile } from '../platform/file-lock.js';
import { nodeFs } from '../platform/node-fs.js';
import { LmdbBackend } from '../storage/backend/lmdb.js';
import { streamBboltFile } from '../storage/bbolt/stream-file.js';
import { WalError } from '../storage/wal/wal-error.js';
import { checkDatabase } from './check-database.js';
import { type Database, type DatabaseBucket, type Row, readDatabase } from './database.js';
import { type MemberDatabase, memberDatabase } from './defragment.js';
import {
  isKnownStorageVersion,
  STORAGE_VERSION_KEY,
  storageVersionOf,
  UnknownStorageVersionError,
} from './storage-version.js';
import { type LogFacts, readLogFacts } from './verify-member.js';

/** A server removes what begins with `db.tmp` when it starts. */
const COPY_NAME = 'db.tmp.migrate';

/** A version of the schema. */
export interface TargetVersion {
  readonly major: number;
  readonly minor: number;
}

export interface MigrateOptions {
  readonly target: TargetVersion;
  /** Set the version even where there is no way to it. */
  readonly force: boolean;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long to wait for the lock of a bbolt file; 0: for ever. */
  readonly lockTimeoutMillis: number;
}

/** The version can't be changed. `message` is etcdutl's (reference: cli 10.5). */
export class MigrateError extends Error {
  override readonly name = 'MigrateError';
}

/**
 * Changes the storage version of a data directory, of a real etcd or of ours. A bbolt file is
 * replaced by a changed copy, which was read back; LMDB changes its own in one transaction.
 * @throws MigrateError, FileLockError, DirectoryLockedError, DatabaseDamage, ErrnoException
 */
export async function migrateDataDirectory(
  dataDirectory: string,
  options: MigrateOptions,
): Promise<void> {
  const place = await memberDatabase(dataDirectory);
  const log = await logFacts(join(place.member, 'wal'));
  const lock =
    place.kind === 'bbolt'
      ? await lockFile(place.path, options.lockTimeoutMillis)
      : await acquireDirectoryLock(place.member);
  try {
    await migrate(place, log, options);
  } finally {
    await lock.release();
  }
}

async function migrate(
  place: MemberDatabase,
  log: LogFacts,
  { target, force, logger, clock }: MigrateOptions,
): Promise<void> {
  const current = await currentVersion(place, logger);
  if (current === versionText(target)) {
    logger.info('storage version up-to-date', { 'storage-version': current });
    return;
  }
  const problem = planProblem(current, target, log);
  if (problem !== undefined && !force) throw new MigrateError(problem);
  await setStorageVersion(place, storedVersion(target), clock);
  if (problem === undefined) {
    for (const step of stepsTo(current, target)) {
      logger.info('updated storage version', { 'new-storage-version': `${versionText(step)}.0` });
    }
    return;
  }
  logger.info('normal migrate failed, trying with force', { error: problem });
  if (storedVersion(target) === undefined) logger.warn('forcefully cleared storage version');
  else logger.warn('forcefully set storage version', { 'storage-version': versionText(target) });
}

async function logFacts(walDirectory: string): Promise<LogFacts> {
  try {
    return await readLogFacts(nodeFs, walDirectory);
  } catch (error) {
    if (!(error instanceof WalError)) throw error;
    const what = error.fault === 'file-not-found' ? 'open' : 'read';
    throw new MigrateError(`failed to ${what} wal: ${error.message}`, { cause: error });
  }
}

/** As `3.6`, or as it is stored if that is no version we know. */
async function currentVersion({ path }: MemberDatabase, logger: Logger): Promise<string> {
  const version = await readDatabase(nodeFs, path, (database) =>
    storageVersionOf(database).catch((error: unknown) => {
      if (error instanceof UnknownStorageVersionError) return error.stored;
      throw error;
    }),
  );
  if (version !== undefined) return version;
  logger.error(
    'failed to detect storage version. Please make sure you are using data dir from etcd v3.5 and older',
  );
  throw new MigrateError('missing term information');
}

/** Why there is no way from one version to the other, in etcd's words; undefined: there is one. */
function planProblem(current: string, target: TargetVersion, log: LogFacts): string | undefined {
  const targetText = versionText(target);
  for (const version of [current, targetText]) {
    if (isKnownStorageVersion(version)) continue;
    const full = version.split('.').length === 2 ? `${version}.0` : version;
    return `cannot create migration plan: version "${full}" is not supported`;
  }
  const { neededVersion } = log;
  const isDowngrade = compareVersions(targetText, current) < 0;
  if (isDowngrade && compareVersions(neededVersion, targetText) > 0) {
    return `cannot downgrade storage, WAL contains newer entries, as the target version (${targetText}.0) is lower than the version (${neededVersion}) detected from WAL logs`;
  }
  return undefined;
}

/** The versions on the way, the target last; all of one major version. */
function stepsTo(current: string, target: TargetVersion): TargetVersion[] {
  const steps: TargetVersion[] = [];
  let minor = Number(current.split('.')[1]);
  while (minor !== target.minor) {
    minor += minor < target.minor ? 1 : -1;
    steps.push({ major: target.major, minor });
  }
  return steps;
}

/** What is stored for a version; undefined: nothing, as before 3.6. */
function storedVersion(target: TargetVersion): string | undefined {
  const isStored = target.major > 3 || target.minor >= 6;
  return isStored ? `${versionText(target)}.0` : undefined;
}

export function versionText({ major, minor }: TargetVersion): string {
  return `${major}.${minor}`;
}

function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}

async function setStorageVersion(
  place: MemberDatabase,
  version: string | undefined,
  clock: Clock,
): Promise<void> {
  if (place.kind === 'bbolt') return replaceBbolt(place, version);
  const backend = await LmdbBackend.open({ directory: place.snap, clock, checkWholeFile: true });
  try {
    if (version === undefined) backend.delete('meta', STORAGE_VERSION_KEY);
    else backend.put('meta', STORAGE_VERSION_KEY, Buffer.from(version));
    await backend.commit();
  } finally {
    await backend.close();
  }
}

async function replaceBbolt(
  { path, snap }: MemberDatabase,
  version: string | undefined,
): Promise<void> {
  const copy = join(snap, COPY_NAME);
  try {
    const before = await readDatabase(nodeFs, path, async (database) => {
      await streamBboltFile(nodeFs, copy, changedBuckets(database, version));
      return checkDatabase(database, { decodesRows: false });
    });
    const after = await readDatabase(nodeFs, copy, (database) =>
      checkDatabase(database, { decodesRows: false }),
    );
    const unchanged = ({ name }: { readonly name: string }) => name !== 'meta';
    const isSame =
      JSON.stringify(before.buckets.filter(unchanged)) ===
      JSON.stringify(after.buckets.filter(unchanged));
    if (!isSame) throw new MigrateError(`${copy}: the copy differs from the original`);
    await nodeFs.rename(copy, path);
    await nodeFs.syncDirectory(snap);
  } catch (error) {
    if ((await nodeFs.stat(copy)) !== undefined) await nodeFs.remove(copy);
    throw error;
  }
}

async function* changedBuckets(
  database: Database,
  version: string | undefined,
): AsyncGenerator<Pick<DatabaseBucket, 'name' | 'rows'>> {
  for await (const bucket of database.buckets()) {
    if (bucket.name !== 'meta') {
      yield bucket;
      continue;
    }
    const changed: Row[] =
      version === undefined ? [] : [[STORAGE_VERSION_KEY, Buffer.from(version)]];
    for await (const rows of bucket.rows()) {
      changed.push(...rows.filter(([key]) => !key.equals(STORAGE_VERSION_KEY)));
    }
    changed.sort(([a], [b]) => a.compare(b));
    yield {
      name: bucket.name,
      async *rows() {
        yield changed;
      },
    };
  }
}
