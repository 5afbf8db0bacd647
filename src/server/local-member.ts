import type { Clock, Timer } from '../platform/clock.js';
import { type EtcdError, etcdError } from '../proto/errors.js';
import { AlarmRequest, type ResponseHeader } from '../proto/gen/etcdserverpb/rpc.js';
import { ResponseHeaderEncoder } from '../proto/hot/header.js';
import type { ConfChange } from '../raft/confchange/conf-change.js';
import type { RaftStatus } from '../raft/status.js';
import { type ConfState, NONE } from '../raft/types.js';
import type { Backend } from '../storage/backend/backend.js';
import type { MvccStore } from '../storage/mvcc/store.js';
import { SpaceGuard } from './alarm/space-guard.js';
import { Applier, type ReplicatedState } from './apply/applier.js';
import { EntryApplier } from './apply/entry-applier.js';
import type { AppliedKind, RequestOf, ResultOf } from './apply/requests.js';
import { applyObserver } from './apply-observer.js';
import { ANONYMOUS, type Caller } from './auth/caller.js';
import { Leadership } from './leadership.js';
import { LeadershipTransfer } from './leadership-transfer.js';
import { MemberLeases } from './member-leases.js';
import type { MemberParts, MemberSettings } from './member-parts.js';
import { MemberPeers } from './member-peers.js';
import { MemberSnapshots } from './member-snapshots.js';
import type { Member } from './membership/member.js';
import { MembershipChanges } from './membership-changes.js';
import type { PeerCalls } from './peer/peer-calls.js';
import type { PeerTransport } from './peer/peer-transport.js';
import { PendingRequests } from './pending-requests.js';
import { Proposals } from './proposals.js';
import { RaftLoop } from './raft-loop/raft-loop.js';
import { RequestIdGenerator } from './request-id.js';
import { timeoutError } from './request-timeout.js';
import { StorageVersion } from './storage-version.js';

/** This member was taken out of its cluster and can never come back. */
export class MemberRemovedError extends Error {
  override readonly name = 'MemberRemovedError';

  constructor() {
    super('the member has been permanently removed from the cluster');
  }
}

/** Time that a removed member has to tell the others of it before it stops, ms. */
const REMOVED_STOP_MILLIS = 1000;
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
  readonly leases: MemberLeases;
  readonly #parts: MemberParts;
  readonly #headers: ResponseHeaderEncoder;
  readonly #ids: RequestIdGenerator;
  readonly #pending: PendingRequests;
  readonly #loop: RaftLoop;
  readonly #snapshots: MemberSnapshots;
  readonly #space: SpaceGuard;
  readonly #storageVersion: StorageVersion;
  readonly #leadership: Leadership;
  readonly #peers: MemberPeers;
  readonly #changes: MembershipChanges;
  readonly #proposals: Proposals;
  readonly #transfer: LeadershipTransfer;
  /** The term in which this member's leadership was confirmed by an applied entry; 0: never. */
  #confirmedTerm = 0;
  readonly #firstCommitListeners = new Set<() => void>();
  /** Until the end of a member that was removed. */
  #removedStop: Timer | undefined;
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
    this.#headers = new ResponseHeaderEncoder(cluster.id, cluster.localMemberId);
    this.#ids = new RequestIdGenerator(cluster.localMemberId, clock.wallMillis());
    this.#storageVersion = new StorageVersion(parts.backend);
    this.#leadership = new Leadership({
      localMemberId: cluster.localMemberId,
      clock,
      logger: parts.logger,
      onNewLeader: () => this.#noteNewLeader(),
      onFollowing: () => this.lessor.demote(),
    });
    this.#pending = new PendingRequests(clock, this.requestTimeoutMillis, (startedMillis) =>
      timeoutError(
        {
          cluster,
          leadership: this.#leadership,
          transport: this.transport,
          electionMillis: this.electionMillis,
        },
        startedMillis,
      ),
    );
    this.#peers = this.#newPeers(settings);
    this.#changes = this.#newChanges(parts.confState);
    this.#loop = this.#newLoop(settings);
    this.#proposals = this.#newProposals(settings);
    this.#transfer = this.#newTransfer();
    this.#snapshots = this.#newSnapshots();
    this.#space = this.#newSpaceGuard();
    this.leases = new MemberLeases({
      parts,
      member: this,
      leadership: this.#leadership,
      ticks: this.#loop.ticks,
    });
  }

  /** Begins to take part in the cluster. */
  start(): void {
    this.#loop.start();
    this.#peers.start(this.#loop);
    this.leases.start();
    this.#campaignIfAlone();
  }

  /** How long a request may take, ms: 5 s and two election timeouts (reference: api 5). */
  get requestTimeoutMillis(): number {
    return 5000 + 2 * this.electionMillis;
  }

  /** How long a follower waits for its leader, at least, ms. */
  get electionMillis(): number {
    const { electionTicks, heartbeatMillis } = this.#parts.settings;
    return electionTicks * heartbeatMillis;
  }

  /** NONE: nobody is known to lead. */
  get leaderId(): bigint {
    return this.#leadership.leader;
  }

  get isLeader(): boolean {
    return this.#leadership.isLocal;
  }

  /** Whether this member only follows, without a vote, and serves almost nothing. */
  get isLearner(): boolean {
    return this.cluster.localMember?.isLearner ?? false;
  }

  get transport(): PeerTransport {
    return this.#peers.transport;
  }

  get calls(): PeerCalls {
    return this.#parts.calls;
  }

  /** What Raft knows; the progress of the others on the leader alone. */
  raftStatus(): RaftStatus {
    return this.#parts.node.status();
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
    if (this.leaderId === NONE) throw etcdError('NoLeader');
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
    return this.#proposals.propose(kind, request, payload, caller);
  }

  /**
   * As {@link propose}, with an entry in a form of its own.
   * @param encode makes the entry for a request id
   */
  proposeEntry<Kind extends AppliedKind>(
    request: RequestOf<Kind>,
    encode: (id: bigint) => Buffer,
  ): Promise<ResultOf<Kind>> {
    return this.#proposals.proposeEntry(request, encode);
  }

  /**
   * Puts a change of the membership through the log.
   * @returns the members after it
   * @throws EtcdError the refusal of the membership, or as {@link propose}
   */
  changeMembership(change: Omit<ConfChange, 'id'>): Promise<readonly Member[]> {
    if (this.#stopError !== undefined) return Promise.reject(this.#stopError);
    return this.#changes.propose(change);
  }

  /**
   * Hands the leadership over. Resolves when the other one leads.
   * @throws EtcdError BadLeaderTransferee, TimeoutLeaderTransfer, Stopped
   */
  transferLeadership(to: bigint): Promise<void> {
    return this.#transfer.transferTo(to);
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
   * Resolves when all that is committed now is applied here.
   * @throws EtcdError TimeoutWaitAppliedIndex, Stopped
   */
  whenApplied(timeoutMillis: number): Promise<void> {
    return this.#loop.whenApplied(this.committedIndex, {
      timeoutMillis,
      timeoutError: () => etcdError('TimeoutWaitAppliedIndex'),
    });
  }

  /**
   * Refuses a request for which there is no space, after raising the alarm (reference: semantics
   * 4.2: before any validation).
   * @throws EtcdError NoSpace
   */
  checkQuota(cost: number): Promise<void> {
    return this.#space.require(cost);
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
    return this.#leadership.whenAny();
  }

  /**
   * Tells a listener when this member has begun to lead: the first entry of its term is applied.
   * @returns ends that
   */
  onFirstCommit(listener: () => void): () => void {
    this.#firstCommitListeners.add(listener);
    return () => this.#firstCommitListeners.delete(listener);
  }

  /** Ends taking part and closes everything; what was acknowledged is on disk. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Hands the leadership over, if it can, before a planned stop. */
  handOver(): Promise<void> {
    return this.#stopError === undefined ? this.#transfer.handOver() : Promise.resolve();
  }

  async #stop(): Promise<void> {
    const error = this.#refuseAll();
    this.#removedStop?.cancel();
    this.leases.stop();
    await this.#peers.stop();
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
    this.#changes.close(error);
    this.#leadership.close(error);
    return error;
  }

  /** Nothing will be applied any more: who waits for it is told before the member is stopped. */
  #fail(error: unknown): void {
    // What fails after the first failure, or after the stop began, follows from that.
    if (this.#stopError !== undefined) return;
    this.#refuseAll();
    this.#parts.onFatal(error);
  }

  #newLoop(settings: MemberSettings): RaftLoop {
    const { node, storage, wal, clock, logger, snapshotIndex, metrics } = this.#parts;
    const applier = new EntryApplier({
      applier: new Applier(this.#parts),
      pending: this.#pending,
      consistentIndex: this.#parts.consistentIndex,
      logger,
      clock,
      observe: applyObserver(this.#parts),
      applyConfChange: (entry, isReplay) => this.#changes.apply(entry, isReplay),
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
        ...(metrics === undefined ? {} : { readMetrics: metrics }),
        nextId: () => this.#ids.next(),
        isAwaited: (id) => this.#pending.has(id),
        apply: (entry) => applier.apply(entry),
        backpressure: () => this.backend.backpressure(),
        onApplied: (index) => {
          this.#snapshots.onApplied(index);
          this.#changes.onApplied();
          this.#campaignIfAlone();
        },
        onSoftState: (state) => this.#leadership.note(state),
        send: (messages) => this.#peers.send(messages),
        saveSnapshot: (snapshot) => this.#parts.snapshotFiles.save(snapshot),
        installSnapshot: (snapshot) => this.#snapshots.install(snapshot),
        onFatal: (error) => this.#fail(error),
      },
      snapshotIndex,
    );
  }

  #newProposals({ maxRequestBytes }: MemberSettings): Proposals {
    return new Proposals({
      pending: this.#pending,
      nextId: () => this.#ids.next(),
      maxRequestBytes,
      applyLag: () => this.committedIndex - this.appliedIndex,
      stopError: () => this.#stopError,
      propose: (id, entry, onDropped) => this.#loop.propose(id, entry, onDropped),
      failed: this.#parts.metrics?.proposalsFailed,
    });
  }

  #newTransfer(): LeadershipTransfer {
    const { cluster, logger } = this.#parts;
    return new LeadershipTransfer({
      cluster,
      leadership: this.#leadership,
      transport: this.transport,
      clock: this.clock,
      logger,
      timeoutMillis: this.requestTimeoutMillis,
      transfer: (to) => this.#loop.transferLeader(to),
    });
  }

  #newSnapshots(): MemberSnapshots {
    return new MemberSnapshots({
      parts: this.#parts,
      loop: this.#loop,
      changes: this.#changes,
      storageVersion: this.#storageVersion,
      needsLog: () => this.#peers.needsLog,
      onReplaced: () => this.#peers.reset(),
      onFatal: (error) => this.#fail(error),
    });
  }

  #newPeers(settings: MemberSettings): MemberPeers {
    const { cluster, clock, logger, backend, createTransport, snapshotFiles, metrics } =
      this.#parts;
    return new MemberPeers({
      cluster,
      clock,
      logger,
      backend,
      createTransport,
      ...settings,
      saveSnapshotDatabase: snapshotFiles.saveDatabase,
      applied: () => this.#snapshots.appliedPoint(),
      onRemoved: () => this.#fail(new MemberRemovedError()),
      ...(metrics === undefined ? {} : { lateHeartbeats: metrics.lateHeartbeats }),
    });
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

  #newChanges(confState: ConfState): MembershipChanges {
    const { cluster, node, logger, settings } = this.#parts;
    return new MembershipChanges(
      {
        cluster,
        node,
        logger,
        pending: this.#pending,
        maxLearners: settings.maxLearners,
        nextId: () => this.#ids.next(),
        propose: (id, change, onDropped) => this.#loop.proposeConfChange(id, change, onDropped),
        onChange: (change) => {
          this.#peers.follow(change);
          if (cluster.isRemoved(cluster.localMemberId)) this.#stopAsRemoved();
        },
      },
      confState,
    );
  }

  /** The others should hear of its last messages before it goes. */
  #stopAsRemoved(): void {
    this.#removedStop ??= this.#parts.clock.setTimer(REMOVED_STOP_MILLIS, () =>
      this.#fail(new MemberRemovedError()),
    );
  }

  /**
   * Alone in its cluster, a member need not wait for silence before it leads. Trap: Raft refuses a
   * campaign while a membership change is committed and not applied, as when the log of a member
   * that was killed still holds its own addition; so this waits until all of the log is applied.
   */
  #campaignIfAlone(): void {
    if (this.leaderId !== NONE || this.appliedIndex < this.committedIndex) return;
    const { voters } = this.#changes.confState;
    if (voters.length === 1 && voters[0] === this.cluster.localMemberId) {
      this.#parts.clock.defer(() => this.#loop.campaign());
    }
  }

  #confirmLeader(term: number): void {
    this.#loop.retryReads();
    if (!this.isLeader || term !== this.term || this.#confirmedTerm === term) return;
    this.#confirmedTerm = term;
    this.lessor.promote(this.electionMillis);
    for (const listener of this.#firstCommitListeners) listener();
  }

  #noteNewLeader(): void {
    this.#parts.metrics?.leaderChanges.inc();
    this.#loop.failReads(etcdError('LeaderChanged'));
  }
}
