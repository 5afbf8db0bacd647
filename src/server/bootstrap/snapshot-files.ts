import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import {
  type SnapshotDatabaseMetrics,
  saveSnapshotDatabase,
} from '../../storage/snap/snapshot-database.js';
import { Snapshotter } from '../../storage/snap/snapshotter.js';
import { encodeV2Store } from '../../storage/snap/v2-store-json.js';
import { removeSnapshotDatabasesBefore } from '../../storage/wal/purge.js';
import { encodeConfState } from '../apply/conf-state-json.js';
import type { SnapshotFiles } from '../member-parts.js';
import type { Cluster } from '../membership/cluster.js';
import { type ReplaceStateParts, replaceState } from '../snapshots/replace-state.js';

export interface SnapshotFilesOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The snap directory. */
  readonly directory: string;
  readonly metrics: SnapshotDatabaseMetrics | undefined;
}

/** The snapshots of a member in its snap directory, and what they replace. */
export function snapshotFiles(
  { fs, clock, logger, directory, metrics }: SnapshotFilesOptions,
  parts: ReplaceStateParts & { readonly cluster: Cluster },
): SnapshotFiles {
  const { cluster } = parts;
  const snapshotter = new Snapshotter(fs, directory, {
    clock,
    logger: logger.at('snap/snapshotter.ts'),
  });
  const database = {
    fs,
    clock,
    directory,
    ...(metrics === undefined ? {} : { metrics }),
  };
  // Older releases read the membership from here; the keys are in the backend alone.
  const encodeMembership = (): Buffer =>
    encodeV2Store({
      members: cluster.members(),
      removed: cluster.removedIds(),
      clusterVersion: cluster.version,
    });
  return {
    encodeMembership,
    capture({ index, term, confState }) {
      const data = encodeMembership();
      return () => snapshotter.save({ index, term, confState, data });
    },
    save: (snapshot) => snapshotter.save(snapshot),
    saveDatabase: (index, blocks) => saveSnapshotDatabase(database, index, blocks),
    releaseDatabases: (index) => removeSnapshotDatabasesBefore(fs, directory, index),
    async install(snapshot) {
      await replaceState(parts, await snapshotter.databasePath(snapshot.index), snapshot);
      parts.consistentIndex.setConfState(encodeConfState(snapshot.confState));
      // Trap: the index in a database of another release may be lower than that of its snapshot.
      // Without the file, a backend in which a crash left that index could never catch up.
      await parts.backend.commit();
      await removeSnapshotDatabasesBefore(fs, directory, snapshot.index + 1);
    },
  };
}
