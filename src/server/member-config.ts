import type { LogFields } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import type { InitialCluster } from './bootstrap/new-member.js';
import type { OpenMemberOptions } from './bootstrap/open-member.js';
import type { ServerConfig } from './config/server-config.js';
import type { LocalMember } from './local-member.js';
import { formatId } from './membership/member.js';

/** How long a lease may go without telling the other members how much time it has left, ms. */
const LEASE_CHECKPOINT_MILLIS = 5 * 60 * 1000;

/** What of the configuration concerns the member. */
export function memberSettings(config: ServerConfig): OpenMemberOptions['settings'] {
  return {
    heartbeatMillis: config.heartbeatMillis,
    electionTicks: config.electionTicks,
    initialElectionTickAdvance: config.initialElectionTickAdvance,
    maxRequestBytes: config.maxRequestBytes,
    snapshotCount: config.snapshotCount,
    snapshotCatchUpEntries: config.snapshotCatchUpEntries,
    preVote: config.preVote,
    quotaBytes: config.quotaBackendBytes,
    unsafeNoFsync: config.unsafeNoFsync,
    warningApplyMillis: config.warningApplyMillis,
    maxLearners: config.maxLearners,
    compactionBatchLimit: config.compactionBatchLimit,
    compactionSleepMillis: config.compactionSleepMillis,
    leaseCheckpointMillis: config.features.LeaseCheckpoint ? LEASE_CHECKPOINT_MILLIS : undefined,
    persistsLeaseCheckpoints: config.features.LeaseCheckpointPersist,
  };
}

/** The members that a new cluster begins with. */
export function initialCluster(config: ServerConfig): InitialCluster {
  return {
    name: config.name,
    peerUrls: new Map(
      [...config.initialCluster].map(([name, urls]) => [name, urls.map(({ text }) => text)]),
    ),
    advertisedPeerUrls: config.advertisePeerUrls.map(({ text }) => text),
    token: config.initialClusterToken,
    state: config.initialClusterState,
    ...(config.discovery === undefined ? {} : { discovery: config.discovery }),
  };
}

/** Fields of the line `starting an etcd server` (reference: server 3.3). */
export function startFields(
  config: ServerConfig,
  { cluster }: LocalMember,
  walDirectory: string,
  isRestart: boolean,
): LogFields {
  return {
    'etcd-version': ETCD_VERSION,
    'member-initialized': isRestart,
    name: config.name,
    'data-dir': config.dataDir,
    'wal-dir': walDirectory,
    'heartbeat-interval': `${config.heartbeatMillis}ms`,
    'election-timeout': `${config.electionMillis / 1000}s`,
    'snapshot-count': config.snapshotCount,
    'initial-advertise-peer-urls': config.advertisePeerUrls.map(({ text }) => text),
    'advertise-client-urls': config.advertiseClientUrls.map(({ text }) => text),
    'listen-client-urls': config.listenClientUrls.map(({ text }) => text),
    'initial-cluster': config.initialClusterText,
    'member-id': formatId(cluster.localMemberId),
    'cluster-id': formatId(cluster.id),
  };
}
