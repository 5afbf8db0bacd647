import { formatGoDuration } from '../base/go-format.js';
import type { Logger } from '../base/logger.js';
import type { Counter } from '../base/metrics.js';
import type { Clock } from '../platform/clock.js';
import { type EtcdError, etcdError } from '../proto/errors.js';
import {
  AlarmRequest,
  LeaseCheckpointRequest,
  LeaseRevokeRequest,
  type ResponseHeader,
} from '../proto/gen/etcdserverpb/rpc.js';
import { ResponseHeaderEncoder } from '../proto/hot/header.js';
import { encodeInternalRequest } from '../proto/hot/internal-request.js';
import type { MemoryStorage } from '../raft/memory-storage.js';
import type { RawNode } from '../raft/raw-node.js';
import { type ConfState, type Entry, NONE, type SoftState } from '../raft/types.js';
import type { Backend } from '../storage/backend/backend.js';
import type { MvccStore } from '../storage/mvcc/store.js';
import type { WalWriter } from '../storage/wal/writer.js';
import { SpaceGuard } from './alarm/space-guard.js';
import { Applier, type ReplicatedState } from './apply/applier.js';
import type { ConsistentIndex } from './apply/consistent-index.js';
import { EntryApplier } from './apply/entry-applier.js';
import type { AppliedKind, RequestOf, ResultOf } from './apply/requests.js';
import { ANONYMOUS, type Caller } from './auth/caller.js';
import { DiskSnapshots, type SnapshotPoint } from './disk-snapshots.js';
import { LeaseKeeper } from './lease/lease-keeper.js';
import { applyMembershipChange } from './membership/apply-conf-change.js';
import { formatId } from './membership/member.js';
import { PendingRequests } from './pending-requests.js';
import { RaftLoop } from './raft-loop/raft-loop.js';
import { RequestIdGenerator } from './request-id.js';
import { StorageVersion } from './storage-version.js';

/** Committed entries that may wait to be applied before proposals are refused. */
export const MAX_APPLY_LAG = 5000;
/** Requests that may be on their way through the log at a time. */
export const MAX_PENDING_REQUESTS = 100_000;
/** Bytes of their entries. */
export const MAX_PENDING_BYTES = 512 * 1024 * 1024;

export interface MemberSettings {
  /** One tick of Raft, ms. */
  readonly heartbeatMillis: number;
  /** Ticks without a leader before a campaign. */
  readonly electionTicks: number;
  /** Largest entry that may be proposed, bytes. */
  readonly maxRequestBytes: number;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  /** Applying a request that takes longer is worth a warning, ms. */
  readonly warningApplyMillis: number;
}

export interface MemberMetrics {
  readonly leaseExpired: Counter;
  readonly proposalsFailed: Counter;
  readonly leaderChanges: Counter;
  readonly slowApplies: Counter;
  /** Takes how long a request of that kind took to apply, seconds. */
  readonly observeApply: (kind: AppliedKind, seconds: number, succeeded: boolean) => void;
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
  readonly captureSnapshotFile: (point: SnapshotPoint) => () => Promise<void>;
  readonly metrics?: MemberMetrics;
  /** The member can't go on; called once. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * This process's member of the cluster: replicated state, the log that changes it, and the ways in:
 * propose, read, renew. Services turn RPCs into calls of it.
 */
export class LocalMember {
  readonly clock: Clock;
  readonly backend: Backend;
  readonly store: MvccStore;
  readonly lessor: ReplicatedState['lessor'];
  readonly alarms: ReplicatedState['alarms'];
  readonly cluster: ReplicatedState['cluster'];
  readonly quota: ReplicatedState['quota'];
  readonly auth: ReplicatedState['auth'];
  readonly authorizer: ReplicatedState['authorizer'];
  readonly #parts: MemberParts;
  readonly #headers: ResponseHeaderEncoder;
  readonly #ids: RequestIdGenerator;
  readonly #pending: PendingRequests;
  readonly #loop: RaftLoop;
  readonly #snapshots: DiskSnapshots;
  readonly #space: SpaceGuard;
  readonly #leases: LeaseKeeper;
  readonly #storageVersion: StorageVersion;
  #confState: ConfState;
  #leader = NONE;
  #leaderWaits: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  /** The term in which this member's leadership was confirmed by an applied entry; 0: never. */
  #confirmedTerm = 0;
  #stopping: Promise<void> | undefined;
  #stopError: EtcdError | undefined;

  constructor(parts: MemberParts) {
    const { settings, clock, cluster } = parts;
    this.#parts = parts;
    this.clock = clock;
    this.backend = parts.backend;
    this.store = parts.store;
    this.lessor = parts.lessor;
    this.alarms = parts.alarms;
    this.cluster = cluster;
    this.quota = parts.quota;
    this.auth = parts.auth;
    this.authorizer = parts.authorizer;
    this.#confState = parts.confState;
    this.#headers = new ResponseHeaderEncoder(cluster.id, cluster.localMemberId);
    this.#ids = new RequestIdGenerator(cluster.localMemberId, clock.wallMillis());
    this.#storageVersion = new StorageVersion(parts.backend);
    this.#pending = new PendingRequests(clock, this.requestTimeoutMillis, () =>
      etcdError('Timeout'),
    );
    this.#loop = this.#newLoop(settings);
    this.#snapshots = this.#newSnapshots(settings);
    this.#space = this.#newSpaceGuard();
    this.#leases = this.#newLeaseKeeper();
  }

  /** Begins to take part in the cluster. */
  start(): void {
    this.#loop.start();
    this.#leases.start();
    this.#campaignIfAlone();
  }

  /** How long a request may take, ms: 5 s and two election timeouts (reference: api 5). */
  get requestTimeoutMillis(): number {
    const { electionTicks, heartbeatMillis } = this.#parts.settings;
    return 5000 + 2 * electionTicks * heartbeatMillis;
  }

  get leaderId(): bigint {
    return this.#leader;
  }

  get isLeader(): boolean {
    return this.#leader !== NONE && this.#leader === this.cluster.localMemberId;
  }

  get term(): number {
    return this.#parts.node.raft.core.term;
  }

  get committedIndex(): number {
    return this.#parts.node.raft.core.log.committed;
  }

  get appliedIndex(): number {
    return this.#loop.appliedIndex;
  }

  /** Version of the backend's schema, or empty. */
  get storageVersion(): string {
    return this.#storageVersion.version;
  }

  get pendingRequests(): number {
    return this.#pending.size;
  }

  /** @throws EtcdError NoLeader */
  requireLeader(): void {
    if (this.#leader === NONE) throw etcdError('NoLeader');
  }

  /** @throws EtcdError NotLeader */
  requireLocalLeader(): void {
    if (!this.isLeader) throw etcdError('NotLeader');
  }

  /** The header of a response; without a revision, that of the store as it is now. */
  header(revision = this.store.currentRevision): ResponseHeader {
    const { id, localMemberId } = this.cluster;
    return { clusterId: id, memberId: localMemberId, revision, raftTerm: this.term };
  }

  /** As {@link header}, encoded. */
  encodeHeader(revision: number): Buffer {
    return this.#headers.encode(revision, this.term);
  }

  newLeaseId(): bigint {
    return this.#ids.nextLeaseId();
  }

  /**
   * Puts a request through the log and waits until it is applied here.
   * @param payload the encoded request
   * @param caller whose rights count when the request is applied
   * @throws EtcdError what applying it gave, RequestTooLarge, RequestTooManyRequests, Timeout,
   *   Stopped
   */
  propose<Kind extends AppliedKind>(
    kind: Kind,
    request: RequestOf<Kind>,
    payload: Uint8Array,
    caller: Caller = ANONYMOUS,
  ): Promise<ResultOf<Kind>> {
    if (this.#stopError !== undefined) return Promise.reject(this.#stopError);
    const lag = this.committedIndex - this.appliedIndex;
    if (lag > MAX_APPLY_LAG || this.#pending.size >= MAX_PENDING_REQUESTS) {
      return Promise.reject(etcdError('RequestTooManyRequests'));
    }
    if (this.#pending.bytes >= MAX_PENDING_BYTES) {
      return Promise.reject(etcdError('RequestTooManyRequests'));
    }
    const id = this.#ids.next();
    const { username, authRevision } = caller;
    const entry = encodeInternalRequest({ id, username, authRevision }, kind, payload);
    if (entry.length > this.#parts.settings.maxRequestBytes) {
      return Promise.reject(etcdError('RequestTooLarge'));
    }
    const result = this.#pending.wait<ResultOf<Kind>>(id, request, entry);
    this.#loop.propose(id, entry, (error) => {
      this.#parts.metrics?.proposalsFailed.inc();
      this.#pending.take(id)?.reject(error);
    });
    return result;
  }

  /**
   * Waits until a read of the local state is linearizable.
   * @throws EtcdError LeaderChanged, Timeout, Stopped
   */
  linearizableRead(): Promise<void> {
    if (this.#stopError !== undefined) return Promise.reject(this.#stopError);
    return this.#loop.linearizableRead();
  }

  /**
   * Refuses a request for which there is no space, after raising the alarm (reference: semantics
   * 4.2: before any validation).
   * @throws EtcdError NoSpace
   */
  checkQuota(cost: number): Promise<void> {
    return this.#space.require(cost);
  }

  /**
   * Gives a lease its full time again.
   * @returns the granted TTL, seconds
   * @throws EtcdError LeaseNotFound, NotPrimaryLessor, NoLeader
   */
  async renewLease(id: bigint, signal: AbortSignal): Promise<number> {
    this.requireLeader();
    return this.#leases.renew(id, signal);
  }

  /** Rewrites the backend without its free pages. */
  defragment(): Promise<void> {
    return this.backend.defragment();
  }

  /** Whether the log still needs a segment of that name. */
  holdsLogSegment(name: string): boolean {
    return this.#parts.wal.holds(name);
  }

  /**
   * Resolves when there is a leader.
   * @throws EtcdError Stopped
   */
  whenLeader(): Promise<void> {
    if (this.#stopError !== undefined) return Promise.reject(this.#stopError);
    if (this.#leader !== NONE) return Promise.resolve();
    return new Promise((resolve, reject) => this.#leaderWaits.push({ resolve, reject }));
  }

  /** Ends taking part and closes everything; what was acknowledged is on disk. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const error = this.#refuseAll();
    this.#leases.stop();
    await this.#loop.stop(error);
    this.lessor.demote();
    await this.#snapshots.settle();
    try {
      await this.store.close();
    } finally {
      try {
        await this.#parts.wal.close();
      } finally {
        await this.backend.close();
      }
    }
  }

  /** Ends all waits for this member; from now on it refuses whatever would wait. */
  #refuseAll(): EtcdError {
    this.#stopError ??= etcdError('Stopped');
    const error = this.#stopError;
    this.#pending.close(error);
    const waits = this.#leaderWaits;
    this.#leaderWaits = [];
    for (const { reject } of waits) reject(error);
    return error;
  }

  /** Nothing will be applied any more: who waits for it is told before the member is stopped. */
  #fail(error: unknown): void {
    this.#refuseAll();
    this.#parts.onFatal(error);
  }

  #newLoop(settings: MemberSettings): RaftLoop {
    const { node, storage, wal, clock, logger, snapshotIndex } = this.#parts;
    const applier = new EntryApplier({
      applier: new Applier(this.#parts),
      pending: this.#pending,
      consistentIndex: this.#parts.consistentIndex,
      logger,
      clock,
      observe: (kind, millis, succeeded) => this.#observeApply(kind, millis, succeeded),
      applyConfChange: (entry, isReplay) => this.#applyConfChange(entry, isReplay),
      onLeaderConfirmed: (term) => this.#confirmLeader(term),
      onQuotaExceeded: (then) => {
        this.#space.raise().then(then, then);
      },
    });
    return new RaftLoop(
      {
        node,
        storage,
        wal,
        clock,
        logger,
        tickMillis: settings.heartbeatMillis,
        readTimeoutMillis: this.requestTimeoutMillis,
        nextId: () => this.#ids.next(),
        isAwaited: (id) => this.#pending.has(id),
        apply: (entry) => applier.apply(entry),
        backpressure: () => this.backend.backpressure(),
        onApplied: (index) => {
          this.#storageVersion.follow(this.cluster.version);
          this.#snapshots.onApplied(index);
          this.#campaignIfAlone();
        },
        onSoftState: (state) => this.#noteLeader(state),
        send: () => {
          throw new Error('this member has no peers to send to');
        },
        onFatal: (error) => this.#fail(error),
      },
      snapshotIndex,
    );
  }

  #newSnapshots(settings: MemberSettings): DiskSnapshots {
    const { backend, wal, storage, logger, captureSnapshotFile } = this.#parts;
    return new DiskSnapshots(
      {
        backend,
        wal,
        storage,
        logger,
        snapshotCount: settings.snapshotCount,
        catchUpEntries: settings.snapshotCatchUpEntries,
        confState: () => this.#confState,
        captureFile: captureSnapshotFile,
        whenCommitSaved: (index) => this.#loop.whenCommitSaved(index),
        onFatal: (error) => this.#fail(error),
      },
      this.#parts.snapshotIndex,
    );
  }

  #newSpaceGuard(): SpaceGuard {
    const { quota, alarms, cluster, logger } = this.#parts;
    return new SpaceGuard({
      quota,
      alarms,
      localMemberId: cluster.localMemberId,
      logger,
      propose: (request) => this.propose('alarm', request, AlarmRequest.encode(request).finish()),
    });
  }

  #newLeaseKeeper(): LeaseKeeper {
    const { lessor, clock, logger, metrics } = this.#parts;
    return new LeaseKeeper({
      lessor,
      clock,
      logger,
      revoke: (ID) =>
        this.propose(
          'leaseRevoke',
          { ID },
          LeaseRevokeRequest.encode({ ID }).finish(),
          this.auth.rootCaller(),
        ),
      checkpoint: (request) =>
        this.propose('leaseCheckpoint', request, LeaseCheckpointRequest.encode(request).finish()),
      catchUp: () => this.linearizableRead(),
      ...(metrics === undefined ? {} : { expired: metrics.leaseExpired }),
    });
  }

  #observeApply(kind: AppliedKind, millis: number, succeeded: boolean): void {
    const { metrics, settings, logger } = this.#parts;
    metrics?.observeApply(kind, millis / 1000, succeeded);
    if (millis <= settings.warningApplyMillis) return;
    metrics?.slowApplies.inc();
    logger.warn('apply request took too long', {
      took: formatGoDuration(millis * 1e6),
      'expected-duration': formatGoDuration(settings.warningApplyMillis * 1e6),
      prefix: '',
      request: kind,
    });
  }

  #applyConfChange(entry: Entry, isReplay: boolean): ConfState {
    // The backend's members are those after every replayed change: Raft began with them.
    if (isReplay) return this.#confState;
    const { change, refusal } = applyMembershipChange(this.cluster, entry);
    if (refusal !== undefined) {
      this.#parts.logger.warn('rejected a configuration change', { error: refusal.message });
    }
    this.#confState = this.#parts.node.applyConfChange(change);
    return this.#confState;
  }

  /**
   * Alone in its cluster, a member need not wait for silence before it leads. Trap: Raft refuses a
   * campaign while a membership change is committed and not applied, as when the log of a member
   * that was killed still holds its own addition; so this waits until all of the log is applied.
   */
  #campaignIfAlone(): void {
    if (this.#leader !== NONE || this.appliedIndex < this.committedIndex) return;
    const { voters } = this.#confState;
    if (voters.length === 1 && voters[0] === this.cluster.localMemberId) {
      this.#parts.clock.defer(() => this.#loop.campaign());
    }
  }

  #confirmLeader(term: number): void {
    this.#loop.retryReads();
    if (!this.isLeader || term !== this.term || this.#confirmedTerm === term) return;
    this.#confirmedTerm = term;
    const { electionTicks, heartbeatMillis } = this.#parts.settings;
    this.lessor.promote(electionTicks * heartbeatMillis);
  }

  #noteLeader({ lead }: SoftState): void {
    if (lead === this.#leader) return;
    this.#leader = lead;
    if (lead !== NONE) this.#parts.metrics?.leaderChanges.inc();
    this.#parts.logger.info('leader changed', {
      'local-member-id': formatId(this.cluster.localMemberId),
      'leader-id': formatId(lead),
    });
    if (!this.isLeader) this.lessor.demote();
    if (lead === NONE) return;
    this.#loop.failReads(etcdError('LeaderChanged'));
    const waits = this.#leaderWaits;
    this.#leaderWaits = [];
    for (const { resolve } of waits) resolve();
  }
}
