import { FEATURE_GATES, type FeatureName } from '../config/feature-gates.js';
import { DISK_SECONDS, exponentialBounds } from './instruments.js';
import type { MetricRegistry } from './registry.js';

/** From 0.1 ms, doubling, to 52 s. */
const APPLY_SECONDS = exponentialBounds(0.0001, 20);

export interface ServerMetricsOptions {
  /** e.g. `3.7.1`. */
  readonly serverVersion: string;
  /** Version of the language run time, e.g. `node20.20.2`. */
  readonly runtimeVersion: string;
  readonly features: Readonly<Record<FeatureName, boolean>>;
}

export function serverMetrics(registry: MetricRegistry, options: ServerMetricsOptions) {
  const one = (name: string, help: string, label: string) =>
    registry.labelledGauge(name, help, label);
  one(
    'etcd_server_version',
    "Which version is running. 1 for 'server_version' label with current version.",
    'server_version',
  )
    .with(options.serverVersion)
    .set(1);
  one(
    'etcd_server_go_version',
    "Which Go version server is running with. 1 for 'server_go_version' label with current version.",
    'server_go_version',
  )
    .with(options.runtimeVersion)
    .set(1);
  addFeatureGauges(registry, options.features);
  return {
    ...raftMetrics(registry),
    ...proposalMetrics(registry),
    ...executionMetrics(registry),
    /** Label: id in hexadecimal. */
    id: one(
      'etcd_server_id',
      "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
      'server_id',
    ),
    /** Label: `3.7`. The old value's series goes to 0. */
    clusterVersion: one(
      'etcd_cluster_version',
      "Which version is running. 1 for 'cluster_version' label with current cluster version",
      'cluster_version',
    ),
    quotaBytes: registry.gauge(
      'etcd_server_quota_backend_bytes',
      'Current backend storage quota size in bytes.',
    ),
    authRevision: registry.gauge(
      'etcd_debugging_auth_revision',
      'The current revision of auth store.',
    ),
    /** Labels: member id in hexadecimal, alarm type. */
    alarms: registry.labelledGauge(
      'etcd_debugging_server_alarms',
      "Alarms for every member in cluster. 1 for 'server_id' label with current ID. 2 for 'alarm_type' label with type of this alarm",
      'server_id',
      'alarm_type',
    ),
    fileDescriptorsUsed: registry.gauge('os_fd_used', 'The number of used file descriptors.'),
    fileDescriptorLimit: registry.gauge('os_fd_limit', 'The file descriptor limit.'),
  };
}

function addFeatureGauges(
  registry: MetricRegistry,
  features: Readonly<Record<FeatureName, boolean>>,
): void {
  const enabled = registry.labelledGauge(
    'etcd_server_feature_enabled',
    'Whether or not a feature is enabled. 1 is enabled, 0 is not.',
    'name',
    'stage',
  );
  for (const [name, { stage }] of Object.entries(FEATURE_GATES)) {
    const on = Object.entries(features).some(([gate, state]) => gate === name && state);
    enabled.with(name, stage).set(on ? 1 : 0);
  }
  enabled.with('AllAlpha', 'ALPHA').set(0);
  enabled.with('AllBeta', 'BETA').set(0);
}

function raftMetrics(registry: MetricRegistry) {
  return {
    hasLeader: registry.gauge(
      'etcd_server_has_leader',
      'Whether or not a leader exists. 1 is existence, 0 is not.',
    ),
    isLeader: registry.gauge(
      'etcd_server_is_leader',
      'Whether or not this member is a leader. 1 if is, 0 otherwise.',
    ),
    isLearner: registry.gauge(
      'etcd_server_is_learner',
      'Whether or not this member is a learner. 1 if is, 0 otherwise.',
    ),
    leaderChanges: registry.counter(
      'etcd_server_leader_changes_seen_total',
      'The number of leader changes seen.',
    ),
    heartbeatSendFailures: registry.counter(
      'etcd_server_heartbeat_send_failures_total',
      'The total number of leader heartbeat send failures (likely overloaded from slow disk).',
    ),
    slowReadIndexes: registry.counter(
      'etcd_server_slow_read_indexes_total',
      "The total number of pending read indexes not in sync with leader's or timed out read index requests.",
    ),
    readIndexesFailed: registry.counter(
      'etcd_server_read_indexes_failed_total',
      'The total number of failed read indexes seen.',
    ),
    snapshotApplyInProgress: registry.gauge(
      'etcd_server_snapshot_apply_in_progress_total',
      '1 if the server is applying the incoming snapshot. 0 if none.',
    ),
    learnerPromoteSuccesses: registry.counter(
      'etcd_server_learner_promote_successes',
      'The total number of successful learner promotions while this member is leader.',
    ),
    /** Label: text of the error. */
    learnerPromoteFailures: registry.labelledCounter(
      'etcd_server_learner_promote_failures',
      'The total number of failed learner promotions (likely learner not ready) while this member is leader.',
      'Reason',
    ),
  };
}

function proposalMetrics(registry: MetricRegistry) {
  return {
    proposalsCommitted: registry.gauge(
      'etcd_server_proposals_committed_total',
      'The total number of consensus proposals committed.',
    ),
    proposalsApplied: registry.gauge(
      'etcd_server_proposals_applied_total',
      'The total number of consensus proposals applied.',
    ),
    proposalsPending: registry.gauge(
      'etcd_server_proposals_pending',
      'The current number of pending proposals to commit.',
    ),
    proposalsFailed: registry.counter(
      'etcd_server_proposals_failed_total',
      'The total number of failed proposals seen.',
    ),
  };
}

function executionMetrics(registry: MetricRegistry) {
  return {
    slowApplies: registry.counter(
      'etcd_server_slow_apply_total',
      'The total number of slow apply requests (likely overloaded from slow disk).',
    ),
    /** Labels: `v3`, operation, `true` or `false`. */
    applySeconds: registry.labelledHistogram(
      'etcd_server_apply_duration_seconds',
      'The latency distributions of v2 apply called by backend.',
      APPLY_SECONDS,
      'version',
      'op',
      'success',
    ),
    /** Label: `true` or `false`. */
    rangeSeconds: registry.labelledHistogram(
      'etcd_server_range_duration_seconds',
      'The latency distributions of txn.Range',
      APPLY_SECONDS,
      'success',
    ),
    /** Labels: type of the request, `true` or `false`. */
    requestSeconds: registry.labelledHistogram(
      'etcd_server_request_duration_seconds',
      'Response latency distribution in seconds for each type.',
      DISK_SECONDS,
      'type',
      'success',
    ),
  };
}
