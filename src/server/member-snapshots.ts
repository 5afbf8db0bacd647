import type { Snapshot } from '../raft/types.js';
import type { MemberParts } from './member-parts.js';
import type { MembershipChanges } from './membership-changes.js';
import type { RaftLoop } from './raft-loop/raft-loop.js';
import { DiskSnapshots } from './snapshots/disk-snapshots.js';
import type { AppliedPoint } from './snapshots/outgoing-snapshots.js';
import type { StorageVersion } from './storage-version.js';

export interface MemberSnapshotsOptions {
  readonly parts: Pick<
    MemberParts,
    | 'backend'
    | 'wal'
    | 'storage'
    | 'logger'
    | 'cluster'
    | 'snapshotFiles'
    | 'snapshotIndex'
    | 'settings'
    | 'metrics'
  >;
  readonly loop: Pick<RaftLoop, 'appliedIndex' | 'whenCommitSaved'>;
  readonly changes: Pick<MembershipChanges, 'confState' | 'replace'>;
  readonly storageVersion: Pick<StorageVersion, 'follow' | 'restore'>;
  /** Whether somebody may still need the log that would be cut. */
  readonly needsLog: () => boolean;
  /** The state, the membership with it, is that of a snapshot now. */
  readonly onReplaced: () => void;
  readonly onFatal: (error: unknown) => void;
}

/** The snapshots of a member: those it makes on its disk, and those that its leader sends. */
export class MemberSnapshots {
  readonly #options: MemberSnapshotsOptions;
  readonly #disk: DiskSnapshots;

  constructor(options: MemberSnapshotsOptions) {
    this.#options = options;
    const { parts, loop, needsLog, onFatal } = options;
    const { backend, wal, storage, logger, snapshotFiles, settings } = parts;
    this.#disk = new DiskSnapshots(
      {
        backend,
        wal,
        storage,
        logger,
        snapshotCount: settings.snapshotCount,
        catchUpEntries: settings.snapshotCatchUpEntries,
        confState: () => options.changes.confState,
        needsLog,
        captureFile: snapshotFiles.capture,
        releaseDatabases: snapshotFiles.releaseDatabases,
        whenCommitSaved: (index) => loop.whenCommitSaved(index),
        onFatal,
      },
      parts.snapshotIndex,
    );
  }

  /** The state of this turn, as a snapshot of it would be described. */
  appliedPoint(): AppliedPoint {
    const { parts, loop, changes } = this.#options;
    const index = loop.appliedIndex;
    const term = parts.storage.term(index);
    if (term === undefined) throw new Error(`the applied entry ${index} is not in the log`);
    const data = parts.snapshotFiles.encodeMembership();
    return { index, term, confState: changes.confState, data };
  }

  /** Told of each advance of the applied index. */
  onApplied(index: number): void {
    const { parts, storageVersion } = this.#options;
    if (storageVersion.follow(parts.cluster, parts.logger)) this.#disk.force();
    this.#disk.onApplied(index);
  }

  /** Takes over the state of a snapshot that the leader sent, in place of the own. */
  async install(snapshot: Snapshot): Promise<void> {
    const { parts, loop, changes, storageVersion, onReplaced } = this.#options;
    const { logger, snapshotFiles, metrics } = parts;
    const fields = { 'incoming-leader-snapshot-index': snapshot.index };
    logger.info('applying snapshot', { 'current-applied-index': loop.appliedIndex, ...fields });
    await this.#disk.settle();
    metrics?.snapshotApplies.inc();
    await snapshotFiles.install(snapshot).finally(() => metrics?.snapshotApplies.dec());
    storageVersion.restore();
    changes.replace(snapshot.confState);
    this.#disk.replaced(snapshot.index);
    onReplaced();
    logger.info('applied snapshot', { 'current-applied-index': snapshot.index, ...fields });
  }

  /** Waits for the snapshot that is being made, if any. */
  settle(): Promise<void> {
    return this.#disk.settle();
  }
}
