import type { FeatureName } from '../config/feature-gates.js';
import { FEATURE_GATES } from '../config/feature-gates.js';
import { exponentialBounds } from './instruments.js';
import { MetricRegistry } from './registry.js';

/** From 1 ms, doubling, to 8 s. */
const DISK_SECONDS = exponentialBounds(0.001, 14);
/** From 0.1 ms, doubling, to 52 s. */
const APPLY_SECONDS = exponentialBounds(0.0001, 20);

export interface ServerMetricsOptions {
  /** e.g. `3.7.1`. */
  readonly serverVersion: string;
  /** Version of the language run time, e.g. `node20.20.2`. */
  readonly runtimeVersion: string;
  readonly features: Readonly<Record<FeatureName, boolean>>;
}

export type ServerMetrics = ReturnType<typeof createServerMetrics>;

/**
 * The metrics of one server under etcd's names (reference: server 7), grouped by who counts.
 *
 * Trap: `proposals_committed_total`, `proposals_applied_total` and `wal_write_bytes_total` are
 * gauges in spite of their names; rules written for etcd rely on both.
 */
export function createServerMetrics(options: ServerMetricsOptions) {
  const registry = new MetricRegistry();
  addDeadMetrics(registry);
  return {
    registry,
    wal: walMetrics(registry),
    snap: snapMetrics(registry),
    backend: backendMetrics(registry),
    mvcc: mvccMetrics(registry),
    lease: leaseMetrics(registry),
    watch: watchMetrics(registry),
    server: serverMetrics(registry, options),
    health: healthMetrics(registry),
    network: networkMetrics(registry),
    peers: peerMetrics(registry),
    scrape: scrapeMetrics(registry),
  };
}

function walMetrics(registry: MetricRegistry) {
  return {
    syncSeconds: registry.histogram(
      'etcd_disk_wal_fsync_duration_seconds',
      'The latency distributions of fsync called by WAL.',
      DISK_SECONDS,
    ),
    writeSeconds: registry.histogram(
      'etcd_disk_wal_write_duration_seconds',
      'The latency distributions of write called by WAL.',
      DISK_SECONDS,
    ),
    writtenBytes: registry.gauge(
      'etcd_disk_wal_write_bytes_total',
      'Total number of bytes written in WAL.',
    ),
  };
}

function snapMetrics(registry: MetricRegistry) {
  return {
    syncSeconds: registry.histogram(
      'etcd_snap_fsync_duration_seconds',
      'The latency distributions of fsync called by snap.',
      DISK_SECONDS,
    ),
    dbSyncSeconds: registry.histogram(
      'etcd_snap_db_fsync_duration_seconds',
      'The latency distributions of fsyncing .snap.db file',
      DISK_SECONDS,
    ),
    dbSaveSeconds: registry.histogram(
      'etcd_snap_db_save_total_duration_seconds',
      'The total latency distributions of v3 snapshot save',
      exponentialBounds(0.1, 10),
    ),
    encodeSeconds: registry.histogram(
      'etcd_debugging_snap_save_marshalling_duration_seconds',
      'The marshalling cost distributions of save called by snapshot.',
      DISK_SECONDS,
    ),
    saveSeconds: registry.histogram(
      'etcd_debugging_snap_save_total_duration_seconds',
      'The total latency distributions of save called by snapshot.',
      DISK_SECONDS,
    ),
  };
}

function backendMetrics(registry: MetricRegistry) {
  const phase = (name: string) =>
    registry.histogram(
      `etcd_debugging_disk_backend_commit_${name}_duration_seconds`,
      `The latency distributions of commit.${name} called by bboltdb backend.`,
      DISK_SECONDS,
    );
  phase('rebalance');
  phase('spill');
  phase('write');
  return {
    commitSeconds: registry.histogram(
      'etcd_disk_backend_commit_duration_seconds',
      'The latency distributions of commit called by backend.',
      DISK_SECONDS,
    ),
    defragmentSeconds: registry.histogram(
      'etcd_disk_backend_defrag_duration_seconds',
      'The latency distribution of backend defragmentation.',
      exponentialBounds(0.1, 13),
    ),
    snapshotSeconds: registry.histogram(
      'etcd_disk_backend_snapshot_duration_seconds',
      'The latency distribution of backend snapshots.',
      exponentialBounds(0.01, 17),
    ),
    defragmenting: registry.gauge(
      'etcd_disk_defrag_inflight',
      'Whether or not defrag is active on the member. 1 means active, 0 means not.',
    ),
    allocatedBytes: registry.gauge(
      'etcd_mvcc_db_total_size_in_bytes',
      'Total size of the underlying database physically allocated in bytes.',
    ),
    inUseBytes: registry.gauge(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Total size of the underlying database logically in use in bytes.',
    ),
    openReadTransactions: registry.gauge(
      'etcd_mvcc_db_open_read_transactions',
      'The number of currently open read transactions',
    ),
  };
}

function mvccMetrics(registry: MetricRegistry) {
  return {
    ...mvccOperations(registry),
    ...compactionMetrics(registry),
    hashSeconds: registry.histogram(
      'etcd_mvcc_hash_duration_seconds',
      'The latency distribution of storage hash operation.',
      exponentialBounds(0.01, 15),
    ),
    hashRevisionSeconds: registry.histogram(
      'etcd_mvcc_hash_rev_duration_seconds',
      'The latency distribution of storage hash by revision operation.',
      exponentialBounds(0.01, 15),
    ),
    currentRevision: registry.gauge(
      'etcd_debugging_mvcc_current_revision',
      'The current revision of store.',
    ),
  };
}

function mvccOperations(registry: MetricRegistry) {
  return {
    ranges: registry.counter(
      'etcd_mvcc_range_total',
      'Total number of ranges seen by this member.',
    ),
    puts: registry.counter('etcd_mvcc_put_total', 'Total number of puts seen by this member.'),
    deletes: registry.counter(
      'etcd_mvcc_delete_total',
      'Total number of deletes seen by this member.',
    ),
    transactions: registry.counter(
      'etcd_mvcc_txn_total',
      'Total number of txns seen by this member.',
    ),
    keys: registry.gauge('etcd_debugging_mvcc_keys_total', 'Total number of keys.'),
    // A gauge in etcd, although it only grows.
    putBytes: registry.gauge(
      'etcd_debugging_mvcc_total_put_size_in_bytes',
      'The total size of put kv pairs seen by this member.',
    ),
  };
}

function compactionMetrics(registry: MetricRegistry) {
  return {
    compactRevision: registry.gauge(
      'etcd_debugging_mvcc_compact_revision',
      'The revision of the last compaction in store.',
    ),
    lastCompactionUnixSeconds: registry.gauge(
      'etcd_debugging_mvcc_db_compaction_last',
      'The unix time of the last db compaction. Resets to 0 on start.',
    ),
    compactedRows: registry.counter(
      'etcd_debugging_mvcc_db_compaction_keys_total',
      'Total number of db keys compacted.',
    ),
    compactionPauseMillis: registry.histogram(
      'etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds',
      'Bucketed histogram of db compaction pause duration.',
      exponentialBounds(1, 13),
    ),
    compactionTotalMillis: registry.histogram(
      'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds',
      'Bucketed histogram of db compaction total duration.',
      exponentialBounds(100, 14),
    ),
    indexCompactionMillis: registry.histogram(
      'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds',
      'Bucketed histogram of index compaction pause duration.',
      exponentialBounds(0.5, 14),
    ),
  };
}

function leaseMetrics(registry: MetricRegistry) {
  return {
    granted: registry.counter(
      'etcd_debugging_lease_granted_total',
      'The total number of granted leases.',
    ),
    revoked: registry.counter(
      'etcd_debugging_lease_revoked_total',
      'The total number of revoked leases.',
    ),
    renewed: registry.counter(
      'etcd_debugging_lease_renewed_total',
      'The number of renewed leases seen by the leader.',
    ),
    ttlSeconds: registry.histogram(
      'etcd_debugging_lease_ttl_total',
      'Bucketed histogram of lease TTLs.',
      exponentialBounds(1, 24),
    ),
    expired: registry.counter(
      'etcd_debugging_server_lease_expired_total',
      'The total number of expired leases.',
    ),
  };
}

function watchMetrics(registry: MetricRegistry) {
  const sendLoop = (name: string, help: string) =>
    registry.histogram(`etcd_debugging_server_watch_send_loop_${name}`, help, DISK_SECONDS);
  return {
    streams: registry.gauge(
      'etcd_debugging_mvcc_watch_stream_total',
      'Total number of watch streams.',
    ),
    watchers: registry.gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.'),
    slowWatchers: registry.gauge(
      'etcd_debugging_mvcc_slow_watcher_total',
      'Total number of unsynced slow watchers.',
    ),
    pendingEvents: registry.gauge(
      'etcd_debugging_mvcc_pending_events_total',
      'Total number of pending events to be sent.',
    ),
    events: registry.counter(
      'etcd_debugging_mvcc_events_total',
      'Total number of events sent by this member.',
    ),
    sendEventsSeconds: sendLoop(
      'watch_stream_duration_seconds',
      'The total duration in seconds of running through the send loop watch stream response all events.',
    ),
    sendPerEventSeconds: sendLoop(
      'watch_stream_duration_per_event_seconds',
      'The average duration in seconds of running through the send loop watch stream response, per event.',
    ),
    sendControlSeconds: sendLoop(
      'control_stream_duration_seconds',
      'The total duration in seconds of running through the send loop control stream response.',
    ),
    sendProgressSeconds: sendLoop(
      'progress_duration_seconds',
      'The total duration in seconds of running through the progress loop control stream response.',
    ),
  };
}

function serverMetrics(registry: MetricRegistry, options: ServerMetricsOptions) {
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

function healthMetrics(registry: MetricRegistry) {
  return {
    successes: registry.counter(
      'etcd_server_health_success',
      'The total number of successful health checks',
    ),
    failures: registry.counter(
      'etcd_server_health_failures',
      'The total number of failed health checks',
    ),
    /** Labels: `livez` or `readyz`, check. */
    check: registry.labelledGauge(
      'etcd_server_healthcheck',
      'The result of each kind of healthcheck.',
      'type',
      'name',
    ),
    /** Labels: `livez` or `readyz`, check, `success` or `error`. */
    checks: registry.labelledCounter(
      'etcd_server_healthchecks_total',
      'The total number of each kind of healthcheck.',
      'type',
      'name',
      'status',
    ),
  };
}

function networkMetrics(registry: MetricRegistry) {
  return {
    clientReceivedBytes: registry.counter(
      'etcd_network_client_grpc_received_bytes_total',
      'The total number of bytes received from grpc clients.',
    ),
    clientSentBytes: registry.counter(
      'etcd_network_client_grpc_sent_bytes_total',
      'The total number of bytes sent to grpc clients.',
    ),
    /** Labels: `receive` or `send`, `watch` or `lease-keepalive`. */
    streamFailures: registry.labelledCounter(
      'etcd_network_server_stream_failures_total',
      'The total number of stream failures from the local server.',
      'Type',
      'API',
    ),
  };
}

/** Labels are member ids in hexadecimal. */
function peerMetrics(registry: MetricRegistry) {
  return {
    active: registry.labelledGauge(
      'etcd_network_active_peers',
      'The current number of active peer connections.',
      'Local',
      'Remote',
    ),
    known: registry.labelledGauge(
      'etcd_network_known_peers',
      'The current number of known peers.',
      'Local',
      'Remote',
    ),
    disconnected: registry.labelledCounter(
      'etcd_network_disconnected_peers_total',
      'The total number of disconnected peers.',
      'Local',
      'Remote',
    ),
    sentBytes: registry.labelledCounter(
      'etcd_network_peer_sent_bytes_total',
      'The total number of bytes sent to peers.',
      'To',
    ),
    sentFailures: registry.labelledCounter(
      'etcd_network_peer_sent_failures_total',
      'The total number of send failures from peers.',
      'To',
    ),
    receivedBytes: registry.labelledCounter(
      'etcd_network_peer_received_bytes_total',
      'The total number of bytes received from peers.',
      'From',
    ),
    receivedFailures: registry.labelledCounter(
      'etcd_network_peer_received_failures_total',
      'The total number of receive failures from peers.',
      'From',
    ),
    roundTripSeconds: registry.labelledHistogram(
      'etcd_network_peer_round_trip_time_seconds',
      'Round-Trip-Time histogram between peers',
      exponentialBounds(0.0001, 16),
      'To',
    ),
    ...peerSnapshotMetrics(registry),
  };
}

function peerSnapshotMetrics(registry: MetricRegistry) {
  const direction = (verb: 'send' | 'receive', label: 'To' | 'From') => {
    const name = `etcd_network_snapshot_${verb}`;
    return {
      successes: registry.labelledCounter(
        `${name}_success`,
        `Total number of successful snapshot ${verb}s`,
        label,
      ),
      failures: registry.labelledCounter(
        `${name}_failures`,
        `Total number of snapshot ${verb} failures`,
        label,
      ),
      inFlight: registry.labelledGauge(
        `${name}_inflights_total`,
        `Total number of inflight snapshot ${verb}s`,
        label,
      ),
      seconds: registry.labelledHistogram(
        `${name}_total_duration_seconds`,
        `Total latency distributions of v3 snapshot ${verb}s`,
        exponentialBounds(0.1, 10),
        label,
      ),
    };
  };
  return { snapshotSend: direction('send', 'To'), snapshotReceive: direction('receive', 'From') };
}

function scrapeMetrics(registry: MetricRegistry) {
  const requests = registry.labelledCounter(
    'promhttp_metric_handler_requests_total',
    'Total number of scrapes by HTTP status code.',
    'code',
  );
  for (const code of ['200', '500', '503']) requests.with(code);
  return {
    inFlight: registry.gauge(
      'promhttp_metric_handler_requests_in_flight',
      'Current number of scrapes being served.',
    ),
    /** Label: HTTP status. */
    requests,
  };
}

/** What nothing counts any more, but what scrapers expect to be there with 0. */
function addDeadMetrics(registry: MetricRegistry): void {
  registry.counter('etcd_debugging_store_expires_total', 'Total number of expired keys.');
  registry.counter(
    'etcd_debugging_store_watch_requests_total',
    'Total number of incoming watch requests (new or reestablished).',
  );
  registry.gauge('etcd_debugging_store_watchers', 'Count of currently active watchers.');
  registry.gauge('etcd_grpc_proxy_cache_hits_total', 'Total number of cache hits');
  registry.gauge('etcd_grpc_proxy_cache_keys_total', 'Total number of keys/ranges cached');
  registry.gauge('etcd_grpc_proxy_cache_misses_total', 'Total number of cache misses');
  registry.gauge(
    'etcd_grpc_proxy_watchers_coalescing_total',
    'Total number of current watchers coalescing',
  );
  registry.counter('etcd_grpc_proxy_events_coalescing_total', 'Total number of events coalescing');
}
