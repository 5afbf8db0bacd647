import { AlarmType } from '../../proto/gen/etcdserverpb/rpc.js';
import { alarmName } from '../alarm/alarm-name.js';
import type { AppliedKind } from '../apply/requests.js';
import type { PartMetrics } from '../bootstrap/open-member.js';
import type { LocalMember } from '../local-member.js';
import { formatId } from '../membership/member.js';
import type { PromotionMetrics } from '../membership/membership-admin.js';
import type { ServerMetrics } from './server-metrics.js';

/** The operation names of etcd_server_apply_duration_seconds (reference: server 7). */
const OPERATION_NAMES: Readonly<Record<AppliedKind, string>> = {
  put: 'Put',
  deleteRange: 'DeleteRange',
  txn: 'Txn',
  compaction: 'Compaction',
  leaseGrant: 'LeaseGrant',
  leaseRevoke: 'LeaseRevoke',
  leaseCheckpoint: 'LeaseCheckpoint',
  alarm: 'Alarm',
  clusterVersionSet: 'ClusterVersionSet',
  clusterMemberAttrSet: 'ClusterMemberAttrSet',
  downgradeInfoSet: 'DowngradeInfoSet',
  downgradeVersionTest: 'DowngradeVersionTest',
  authEnable: 'AuthEnable',
  authDisable: 'AuthDisable',
  authStatus: 'AuthStatus',
  authenticate: 'Authenticate',
  authUserAdd: 'AuthUserAdd',
  authUserDelete: 'AuthUserDelete',
  authUserChangePassword: 'AuthUserChangePassword',
  authUserGrantRole: 'AuthUserGrantRole',
  authUserRevokeRole: 'AuthUserRevokeRole',
  authUserGet: 'AuthUserGet',
  authUserList: 'AuthUserList',
  authRoleAdd: 'AuthRoleAdd',
  authRoleDelete: 'AuthRoleDelete',
  authRoleGrantPermission: 'AuthRoleGrantPermission',
  authRoleRevokePermission: 'AuthRoleRevokePermission',
  authRoleGet: 'AuthRoleGet',
  authRoleList: 'AuthRoleList',
};

/** The instruments of a server, handed out to the parts of its member. */
export function partMetrics(metrics: ServerMetrics): PartMetrics {
  const { applySeconds, proposalsFailed, leaderChanges, slowApplies } = metrics.server;
  return {
    wal: metrics.wal,
    mvcc: metrics.mvcc,
    lessor: metrics.lease,
    watch: metrics.watch,
    snapshotDatabase: {
      syncSeconds: metrics.snap.dbSyncSeconds,
      saveSeconds: metrics.snap.dbSaveSeconds,
    },
    member: {
      leaseExpired: metrics.lease.expired,
      proposalsFailed,
      leaderChanges,
      lateHeartbeats: metrics.server.heartbeatSendFailures,
      slowApplies,
      snapshotApplies: metrics.server.snapshotApplyInProgress,
      slowReads: metrics.server.slowReadIndexes,
      failedReads: metrics.server.readIndexesFailed,
      observeApply: (kind, seconds, succeeded) =>
        applySeconds.with('v3', OPERATION_NAMES[kind], String(succeeded)).observe(seconds),
    },
  };
}

/** The instruments of learners that become voters. */
export function promotionMetrics({ server }: ServerMetrics): PromotionMetrics {
  return {
    promoted: server.learnerPromoteSuccesses,
    notPromoted: (reason) => server.learnerPromoteFailures.with(reason).inc(),
  };
}

/** Brings the gauges that mirror a member's state up to date; called before each scrape. */
export function refreshGauges({ server, mvcc }: ServerMetrics, member: LocalMember): void {
  const { cluster, store, quota } = member;
  server.hasLeader.set(member.leaderId === 0n ? 0 : 1);
  server.isLeader.set(member.isLeader ? 1 : 0);
  server.isLearner.set(cluster.localMember?.isLearner === true ? 1 : 0);
  server.proposalsCommitted.set(member.committedIndex);
  server.proposalsApplied.set(member.appliedIndex);
  server.proposalsPending.set(member.pendingRequests);
  server.id.with(formatId(cluster.localMemberId)).set(1);
  server.quotaBytes.set(quota.bytes);
  server.authRevision.set(member.auth.revision);
  for (const series of server.clusterVersion.instruments()) series.set(0);
  if (cluster.version !== undefined) {
    server.clusterVersion.with(cluster.version.replace(/\.0$/, '')).set(1);
  }
  for (const series of server.alarms.instruments()) series.set(0);
  for (const { memberID, alarm } of member.alarms.list(AlarmType.NONE)) {
    server.alarms.with(formatId(memberID), alarmName(alarm)).set(1);
  }
  mvcc.currentRevision.set(store.currentRevision);
  mvcc.compactRevision.set(store.compactRevision);
}
