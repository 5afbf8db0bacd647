import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { Fs } from '../../platform/fs.js';
import type { Random } from '../../platform/random.js';
import { MemoryStorage } from '../../raft/memory-storage.js';
import { RawNode } from '../../raft/raw-node.js';
import type { ConfState } from '../../raft/types.js';
import type { Backend } from '../../storage/backend/backend.js';
import type { MvccMetrics } from '../../storage/mvcc/metrics.js';
import { MvccStore } from '../../storage/mvcc/store.js';
import type { SnapshotDatabaseMetrics } from '../../storage/snap/snapshot-database.js';
import { WAL_BEGINNING, type WalStart } from '../../storage/wal/reader.js';
import type { WalIdentity } from '../../storage/wal/record-types.js';
import type { WalMetrics, WalWriter } from '../../storage/wal/writer.js';
import { AlarmStore } from '../alarm/alarm-store.js';
import { ConsistentIndex } from '../apply/consistent-index.js';
import { Quota } from '../apply/quota.js';
import { AuthStore, type AuthStoreOptions } from '../auth/auth-store.js';
import { Authorizer } from '../auth/authorizer.js';
import { minimumLeaseTtlSeconds } from '../lease/lease.js';
import { Lessor, type LessorMetrics } from '../lease/lessor.js';
import { LocalMember } from '../local-member.js';
import type { MemberMetrics, MemberSettings } from '../member-parts.js';
import { Cluster } from '../membership/cluster.js';
import type { Member } from '../membership/member.js';
import type { PeerCalls } from '../peer/peer-calls.js';
import type { CreatePeerTransport } from '../peer/peer-transport.js';
import { raftLogger } from '../raft-loop/raft-logger.js';
import { StorageVersion } from '../storage-version.js';
import { WatchHub, type WatchMetrics } from '../watch/watch-hub.js';
import type { MemberPlan } from './bootstrap-options.js';
import {
  DataDirectoryError,
  type MemberDirectories,
  makeDirectories,
  makeDurableDirectory,
  removeLeftovers,
} from './directories.js';
import { forceNewCluster } from './force-new-cluster.js';
import type { HostResolver } from './host-resolver.js';
import type { FirstMember, InitialCluster } from './new-member.js';
import { createLog, type ExistingLog, type LogOptions, logExists, readLog } from './open-log.js';
import { planMember } from './plan-member.js';
import { recoverSnapshot } from './recover-snapshot.js';
import { snapshotFiles } from './snapshot-files.js';
import { startingConfiguration } from './starting-configuration.js';
import { refuseDatabaseWithoutLog, takeOver, undoTakeOver } from './take-over.js';
import type { ConnectDiscovery } from './v3-discovery.js';
import { requireSupportedVersions } from './version-rules.js';

/** Bound on the entries of one append message, bytes (reference: raft A1). */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Append messages under way to one member. */
const MAX_INFLIGHT_MESSAGES = 512;

/** What the parts of a member count. */
export interface PartMetrics {
  readonly wal: WalMetrics;
  readonly mvcc: MvccMetrics;
  readonly lessor: LessorMetrics;
  readonly watch: WatchMetrics;
  readonly snapshotDatabase: SnapshotDatabaseMetrics;
  readonly member: MemberMetrics;
}

export interface OpenMemberOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly directories: MemberDirectories;
  readonly initialCluster: InitialCluster;
  /** Whether a member that ran before becomes a cluster of its own, whatever became of the others. */
  readonly forcesNewCluster?: boolean;
  /** The DNS; default: the system's. */
  readonly resolver?: HostResolver;
  /** Opens the discovery service; absent: none can be used. */
  readonly connectDiscovery?: ConnectDiscovery | undefined;
  readonly settings: MemberSettings & {
    readonly preVote: boolean;
    /** As configured: 0 default, negative none. */
    readonly quotaBytes: number;
    readonly unsafeNoFsync: boolean;
    readonly compactionBatchLimit: number;
    readonly compactionSleepMillis: number;
    /** Undefined: remaining lease times are not told through the log. */
    readonly leaseCheckpointMillis: number | undefined;
    readonly persistsLeaseCheckpoints: boolean;
    readonly walSegmentBytes?: number;
  };
  readonly auth: Omit<AuthStoreOptions, 'backend'>;
  /** Opens the backend in the snap directory. */
  readonly openBackend: (onFatal: (error: unknown) => void) => Promise<Backend>;
  readonly createTransport: CreatePeerTransport;
  readonly calls: PeerCalls;
  readonly metrics?: PartMetrics;
  readonly onFatal: (error: unknown) => void;
}

/** A member with its watchers, not yet taking part in the cluster. */
export interface OpenedMember {
  readonly member: LocalMember;
  readonly watches: WatchHub;
  /** Its Raft, for those who watch over it. */
  readonly node: RawNode;
  /** Whether the data directory held a member before. */
  readonly isRestart: boolean;
}

/** The log, wherever it came from. */
interface OpenedLog {
  readonly identity: WalIdentity;
  /** The snapshot that the log begins with. */
  readonly start: WalStart;
  readonly lastIndex: number;
  readonly wal: () => Promise<WalWriter>;
  readonly storage: (confState: ConfState) => MemoryStorage;
  readonly bootstrap: (node: RawNode) => void;
  /** Members of the running cluster that this one joins; the log does not tell of them yet. */
  readonly remotes: readonly Member[];
  /** The first members of a new cluster, which the log is going to tell of. */
  readonly firstMembers: readonly FirstMember[];
}

/**
 * Opens the member of a data directory: a new one, or the one that ran there before. Order of
 * recovery: log, backend, membership, leases, keys, alarms, users (reference: semantics 2; that
 * membership comes first changes nothing but that a backend that does not fit is refused early).
 * @throws DataDirectoryError, VersionError, WalError, BackendOpenError, BboltError, or an Error with
 *   etcd's text
 */
export async function openMember(options: OpenMemberOptions): Promise<OpenedMember> {
  const { fs, directories } = options;
  await makeDirectories(fs, directories);
  await removeLeftovers(fs, directories.snap);
  const isRestart = await logExists(logOptions(options));
  if (!isRestart) {
    await refuseDatabaseWithoutLog(options);
    await removePartialWalParent(options);
    const opened = await openOn(options, openNew(options, await planOf(options)));
    return { ...opened, isRestart };
  }
  const log = await readLog(logOptions(options));
  warnOfDiscovery(options);
  const isTakenOver = await takeOver(options, log);
  try {
    return { ...(await openOn(options, await openExisting(options, log))), isRestart };
  } catch (error) {
    // What was imported would be gone by for ever, also once the other etcd's files are mended.
    if (isTakenOver) await undoTakeOver(options);
    throw error;
  }
}

async function openOn(
  options: OpenMemberOptions,
  log: OpenedLog,
): Promise<Omit<OpenedMember, 'isRestart'>> {
  const backend = await options.openBackend(options.onFatal);
  try {
    await recoverSnapshot(options, log.start, backend);
    return await assemble(options, log, backend);
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** The directory that holds the log's own must be there before the log is moved into place. */
async function removePartialWalParent({ fs, directories }: OpenMemberOptions): Promise<void> {
  await makeDurableDirectory(fs, directories.wal);
}

function logOptions(options: OpenMemberOptions): LogOptions {
  const { fs, clock, logger, directories, settings, metrics } = options;
  return {
    fs,
    directory: directories.wal,
    clock,
    logger: logger.at('wal/writer.ts'),
    unsafeNoFsync: settings.unsafeNoFsync,
    ...(settings.walSegmentBytes === undefined ? {} : { segmentBytes: settings.walSegmentBytes }),
    ...(metrics === undefined ? {} : { metrics: metrics.wal }),
  };
}

/** @throws DiscoveryError, or an Error with etcd's text */
function planOf(options: OpenMemberOptions): Promise<MemberPlan> {
  const { clock, logger, calls, settings, resolver, connectDiscovery } = options;
  return planMember(options.initialCluster, {
    clock,
    logger,
    calls,
    maxLearners: settings.maxLearners,
    requestTimeoutMillis: requestMillis(settings),
    ...(resolver === undefined ? {} : { resolver }),
    ...(connectDiscovery === undefined ? {} : { connectDiscovery }),
  });
}

function openNew(options: OpenMemberOptions, plan: MemberPlan): OpenedLog {
  const identity = { memberId: plan.memberId, clusterId: plan.clusterId };
  return {
    identity,
    start: WAL_BEGINNING,
    lastIndex: 0,
    wal: () => createLog(logOptions(options), identity),
    storage: () => new MemoryStorage(),
    bootstrap: (node) => {
      if (plan.peers.length > 0) node.bootstrap(plan.peers);
    },
    remotes: plan.remotes,
    firstMembers: plan.peers,
  };
}

async function openExisting(options: OpenMemberOptions, log: ExistingLog): Promise<OpenedLog> {
  if (!log.isBegun && options.initialCluster.state === 'new') return beginAgain(options, log);
  return {
    identity: log.identity,
    start: log.start,
    lastIndex: log.lastIndex,
    wal: log.resume,
    storage: log.storage,
    bootstrap: () => {},
    remotes: [],
    firstMembers: [],
  };
}

function warnOfDiscovery({ initialCluster, logger, directories }: OpenMemberOptions): void {
  if (initialCluster.discovery?.kind !== 'service') return;
  logger.warn(
    'discovery token is ignored since cluster already initialized; valid logs are found',
    { 'wal-dir': directories.wal },
  );
}

/**
 * A crash came between the making of the log and the end of the first write to it. Without the
 * first members the log leads nowhere: a member that went on from it would wait for ever.
 */
async function beginAgain(options: OpenMemberOptions, log: ExistingLog): Promise<OpenedLog> {
  const plan = await planOf(options);
  const { memberId, clusterId } = log.identity;
  if (plan.memberId !== memberId || plan.clusterId !== clusterId) {
    throw new DataDirectoryError(
      `the log in ${options.directories.wal} was made for another cluster and never written to; remove it, or start with the flags of the first start`,
    );
  }
  return {
    ...openNew(options, plan),
    // Entries of the torn write may be there; those that are written now override them.
    wal: log.resume,
  };
}

async function assemble(
  options: OpenMemberOptions,
  log: OpenedLog,
  backend: Backend,
): Promise<Omit<OpenedMember, 'isRestart'>> {
  const { clock, logger, settings, metrics, onFatal } = options;
  const cluster = new Cluster(log.identity.clusterId, log.identity.memberId, backend);
  cluster.restore();
  requireSupportedVersions({
    storage: new StorageVersion(backend).version,
    cluster: cluster.version,
  });
  const consistentIndex = new ConsistentIndex(backend);
  requireNotBehind(options, consistentIndex.index, log.start.index);
  requireNotAhead(options, consistentIndex.index, log.lastIndex, cluster);
  const lessor = newLessor(options, backend, () => cluster.isAtLeast(3, 6));
  lessor.restore();
  const store = await MvccStore.open({
    backend,
    leases: lessor,
    clock,
    logger: logger.at('mvcc/store.ts'),
    onFatal,
    compactionBatchLimit: settings.compactionBatchLimit,
    compactionSleepMillis: settings.compactionSleepMillis,
    ...(metrics === undefined ? {} : { metrics: metrics.mvcc }),
  });
  try {
    const alarms = new AlarmStore(backend);
    alarms.restore();
    const auth = new AuthStore({ ...options.auth, backend });
    auth.restore();
    const state = { backend, cluster, consistentIndex, lessor, store, alarms, auth };
    return await join(options, log, state);
  } catch (error) {
    // A compaction that was interrupted before goes on already.
    await store.close();
    throw error;
  }
}

/** What the backend holds, opened and found to fit the log. */
interface OpenedState {
  readonly backend: Backend;
  readonly cluster: Cluster;
  readonly consistentIndex: ConsistentIndex;
  readonly lessor: Lessor;
  readonly store: MvccStore;
  readonly alarms: AlarmStore;
  readonly auth: AuthStore;
}

/** Joins the state with its log. */
async function join(
  options: OpenMemberOptions,
  log: OpenedLog,
  state: OpenedState,
): Promise<Omit<OpenedMember, 'isRestart'>> {
  const { logger } = options;
  const { cluster, consistentIndex } = state;
  // Whoever is forced to be alone votes, whatever the others went by.
  const applied = options.forcesNewCluster === true ? undefined : consistentIndex.storedConfState();
  const confState = startingConfiguration(cluster, applied, logger);
  const storage = log.storage(confState);
  const wal = await log.wal();
  try {
    if (options.forcesNewCluster === true) {
      const { index } = consistentIndex;
      await forceNewCluster({ logger, storage, wal, cluster, consistentIndex: index });
    }
    return build(options, log, { ...state, confState, storage, wal });
  } catch (error) {
    await wal.close();
    throw error;
  }
}

/** The state, and the log that goes on with it. */
interface JoinedState extends OpenedState {
  readonly confState: ConfState;
  readonly storage: MemoryStorage;
  readonly wal: WalWriter;
}

function build(
  options: OpenMemberOptions,
  log: OpenedLog,
  state: JoinedState,
): Omit<OpenedMember, 'isRestart'> {
  const { backend, cluster, consistentIndex, lessor, store, alarms, auth } = state;
  const { confState, storage, wal } = state;
  const { clock, logger, settings, metrics, onFatal } = options;
  const node = newNode(options, log.identity.memberId, storage);
  log.bootstrap(node);
  const watches = new WatchHub({
    history: store,
    clock,
    ...(metrics === undefined ? {} : { metrics: metrics.watch }),
  });
  store.setChangeListener((change) => watches.notify(change));
  const member = new LocalMember({
    settings,
    clock,
    logger,
    backend,
    wal,
    storage,
    node,
    consistentIndex,
    store,
    lessor,
    alarms,
    cluster,
    auth,
    authorizer: new Authorizer(auth, lessor),
    quota: new Quota(settings.quotaBytes, () => backend.size().allocated),
    snapshotIndex: log.start.index,
    confState,
    snapshotFiles: snapshotFiles(
      {
        fs: options.fs,
        clock,
        logger,
        directory: options.directories.snap,
        metrics: metrics?.snapshotDatabase,
      },
      {
        fs: options.fs,
        backend,
        consistentIndex,
        store,
        lessor,
        cluster,
        alarms,
        auth,
        onReplaced: () => watches.resyncAll(),
      },
    ),
    createTransport: options.createTransport,
    calls: options.calls,
    onFatal,
    ...(metrics === undefined ? {} : { metrics: metrics.member }),
  });
  const { memberId } = log.identity;
  for (const { id, peerUrls } of log.remotes) {
    if (id !== memberId) member.transport.addRemote(id, peerUrls);
  }
  for (const { id, peerUrls } of log.firstMembers) {
    if (id !== memberId) member.transport.addPeer(id, peerUrls);
  }
  return { member, watches, node };
}

/** The log before the snapshot is gone, so a backend that is older can't be brought up to date. */
function requireNotBehind(
  { directories }: OpenMemberOptions,
  consistentIndex: number,
  snapshotIndex: number,
): void {
  if (consistentIndex >= snapshotIndex) return;
  throw new DataDirectoryError(
    `database file (${directories.snap} index ${consistentIndex}) does not match with snapshot (index ${snapshotIndex})`,
  );
}

/**
 * A backend beyond the end of the log would make new entries count as applied already, and so lose
 * them. In a cluster of several, the leader still has the entries that are missing here.
 */
function requireNotAhead(
  { directories }: OpenMemberOptions,
  consistentIndex: number,
  lastIndex: number,
  cluster: Cluster,
): void {
  if (consistentIndex <= lastIndex || cluster.members().length > 1) return;
  throw new DataDirectoryError(
    `database file (${directories.snap} index ${consistentIndex}) is ahead of the log (${directories.wal} ends at index ${lastIndex}): a part of the log is missing`,
  );
}

/** How long a request may take, ms. */
function requestMillis({ electionTicks, heartbeatMillis }: MemberSettings): number {
  return 5000 + 2 * electionTicks * heartbeatMillis;
}

function newLessor(
  options: OpenMemberOptions,
  backend: Backend,
  clusterPersistsCheckpoints: () => boolean,
): Lessor {
  const { clock, settings, metrics } = options;
  const { electionTicks, heartbeatMillis, leaseCheckpointMillis } = settings;
  return new Lessor({
    backend,
    clock,
    minimumTtlSeconds: minimumLeaseTtlSeconds(electionTicks, heartbeatMillis),
    // The revocation before it is settled by then.
    retryMillis: requestMillis(settings),
    persistsCheckpoints: () => settings.persistsLeaseCheckpoints || clusterPersistsCheckpoints(),
    ...(leaseCheckpointMillis === undefined
      ? {}
      : { checkpointIntervalMillis: leaseCheckpointMillis }),
    ...(metrics === undefined ? {} : { metrics: metrics.lessor }),
  });
}

function newNode(options: OpenMemberOptions, id: bigint, storage: MemoryStorage): RawNode {
  const { random, logger, settings } = options;
  return new RawNode({
    id,
    electionTick: settings.electionTicks,
    heartbeatTick: 1,
    storage,
    random,
    logger: raftLogger(logger),
    asyncStorageWrites: true,
    maxSizePerMessage: MAX_MESSAGE_BYTES,
    maxInflightMessages: MAX_INFLIGHT_MESSAGES,
    checkQuorum: true,
    preVote: settings.preVote,
  });
}
