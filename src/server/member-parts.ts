import type { Logger } from '../base/logger.js';
import type { Counter, Gauge } from '../base/metrics.js';
import type { Clock } from '../platform/clock.js';
import type { MemoryStorage } from '../raft/memory-storage.js';
import type { RawNode } from '../raft/raw-node.js';
import type { ConfState, Snapshot } from '../raft/types.js';
import type { Backend } from '../storage/backend/backend.js';
import type { WalWriter } from '../storage/wal/writer.js';
import type { ReplicatedState } from './apply/applier.js';
import type { ConsistentIndex } from './apply/consistent-index.js';
import type { AppliedKind } from './apply/requests.js';
import type { PeerCalls } from './peer/peer-calls.js';
import type { CreatePeerTransport } from './peer/peer-transport.js';
import type { ReadMetrics } from './raft-loop/read-rounds.js';
import type { SnapshotPoint } from './snapshots/disk-snapshots.js';

export interface MemberSettings {
  /** One tick of Raft, ms. */
  readonly heartbeatMillis: number;
  /** Ticks without a leader before a campaign. */
  readonly electionTicks: number;
  /** Whether a member that finds peers at its start waits less than a whole election timeout. */
  readonly initialElectionTickAdvance: boolean;
  /** Largest entry that may be proposed, bytes. */
  readonly maxRequestBytes: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  /** Applying a request that takes longer is worth a warning, ms. */
  readonly warningApplyMillis: number;
  /** How many learners the cluster may have; the same on all members. */
  readonly maxLearners: number;
}

export interface MemberMetrics extends ReadMetrics {
  readonly leaseExpired: Counter;
  readonly proposalsFailed: Counter;
  readonly leaderChanges: Counter;
  readonly lateHeartbeats: Counter;
  readonly slowApplies: Counter;
  /** 1 while a snapshot of the leader replaces the state. */
  readonly snapshotApplies: Gauge;
  /** Takes how long a request of that kind took to apply, seconds. */
  readonly observeApply: (kind: AppliedKind, seconds: number, succeeded: boolean) => void;
}

/** Where snapshots are kept. */
export interface SnapshotFiles {
  /**
   * Takes down the membership as it is now. The result writes it to the `.snap` file, which is
   * durable when that resolves.
   */
  readonly capture: (point: SnapshotPoint) => () => Promise<void>;
  /** The membership as it is now, in the form that releases before 3.7 read. */
  readonly encodeMembership: () => Buffer;
  /** Makes the file of a snapshot from the leader durable. */
  readonly save: (snapshot: Snapshot) => Promise<void>;
  /** Makes the database that comes with one durable. */
  readonly saveDatabase: (index: number, blocks: AsyncIterable<Buffer>) => Promise<void>;
  /** Removes the databases of snapshots before `index`, which nothing needs any more. */
  readonly releaseDatabases: (index: number) => Promise<unknown>;
  /** Replaces the replicated state by that of such a database. */
  readonly install: (snapshot: Snapshot) => Promise<void>;
}

/** What a member is made of; the composition root builds it, the member owns it from then on. */
export interface MemberParts extends ReplicatedState {
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backend: Backend;
  readonly wal: WalWriter;
  readonly storage: MemoryStorage;
  readonly node: RawNode;
  readonly consistentIndex: ConsistentIndex;
  /** Index of the snapshot that the log was read from. */
  readonly snapshotIndex: number;
  readonly confState: ConfState;
  readonly snapshotFiles: SnapshotFiles;
  readonly createTransport: CreatePeerTransport;
  readonly calls: PeerCalls;
  readonly metrics?: MemberMetrics;
  /** The member can't go on; called once. */
  readonly onFatal: (error: unknown) => void;
}
