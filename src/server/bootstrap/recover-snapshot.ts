import { join } from 'node:path';
import type { Logger } from '../../base/logger.js';
import type { Fs } from '../../platform/fs.js';
import type { Backend } from '../../storage/backend/backend.js';
import { BboltFile } from '../../storage/bbolt/bbolt-file.js';
import { databaseRows } from '../../storage/bbolt/database-rows.js';
import { snapshotDatabaseName } from '../../storage/snap/snapshot-file.js';
import type { WalStart } from '../../storage/wal/reader.js';
import { ConsistentIndex } from '../apply/consistent-index.js';
import type { MemberDirectories } from './directories.js';

export interface RecoverSnapshotOptions {
  readonly fs: Fs;
  readonly logger: Logger;
  readonly directories: MemberDirectories;
}

/**
 * Carries out what a crash interrupted: the log says that a snapshot of the leader replaced the
 * state, and the backend still has the old one. Its database is there until that is done.
 * @throws BboltError if it is damaged
 */
export async function recoverSnapshot(
  { fs, logger, directories }: RecoverSnapshotOptions,
  { index, term }: WalStart,
  backend: Backend,
): Promise<void> {
  const consistentIndex = new ConsistentIndex(backend);
  if (consistentIndex.index >= index) return;
  const path = join(directories.snap, snapshotDatabaseName(index));
  if ((await fs.stat(path)) === undefined) return;
  logger.info('recovering from the database of a snapshot', { path, 'snapshot-index': index });
  const file = await BboltFile.open(fs, path);
  try {
    await backend.replaceWith(databaseRows(file), () => {
      consistentIndex.restoreAtLeast(index, term);
    });
  } finally {
    await file.close();
  }
  await backend.commit();
  logger.info('recovered from the database of a snapshot', { path, 'snapshot-index': index });
}
