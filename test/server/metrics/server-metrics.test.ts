import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { GrpcCode } from '../../../src/proto/errors.js';
import { resolveFeatureGates } from '../../../src/server/config/feature-gates.js';
import { createRpcMetrics } from '../../../src/server/metrics/rpc-metrics.js';
import {
  createServerMetrics,
  type ServerMetrics,
} from '../../../src/server/metrics/server-metrics.js';
import type { CallContext } from '../../../src/server/rpc/transport.js';

function create(): ServerMetrics {
  return createServerMetrics({
    serverVersion: '3.7.1',
    runtimeVersion: 'node20',
    features: resolveFeatureGates(new Map([['LeaseCheckpoint', true]])),
  });
}

function call(version?: string): CallContext {
  return {
    method: '',
    metadata: { get: (name) => (name === 'client-api-version' ? version : undefined) },
    peer: '',
    deadlineMillis: undefined,
    signal: new AbortController().signal,
  };
}

const linesOf = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(name) || line.includes(` ${name} `));

describe('createServerMetrics', () => {
  it('has every metric without labels from the start, under its type', async () => {
    const text = await create().registry.text();
    const types = new Map(
      text
        .split('\n')
        .filter((line) => line.startsWith('# TYPE '))
        .map((line) => line.slice('# TYPE '.length).split(' ') as [string, string]),
    );
    const expected: Record<string, string> = {
      etcd_server_has_leader: 'gauge',
      etcd_server_is_leader: 'gauge',
      etcd_server_is_learner: 'gauge',
      etcd_server_leader_changes_seen_total: 'counter',
      etcd_server_heartbeat_send_failures_total: 'counter',
      etcd_server_proposals_committed_total: 'gauge',
      etcd_server_proposals_applied_total: 'gauge',
      etcd_server_proposals_pending: 'gauge',
      etcd_server_proposals_failed_total: 'counter',
      etcd_server_slow_read_indexes_total: 'counter',
      etcd_server_read_indexes_failed_total: 'counter',
      etcd_server_slow_apply_total: 'counter',
      etcd_server_snapshot_apply_in_progress_total: 'gauge',
      etcd_server_learner_promote_successes: 'counter',
      etcd_server_health_success: 'counter',
      etcd_server_health_failures: 'counter',
      etcd_server_quota_backend_bytes: 'gauge',
      etcd_server_version: 'gauge',
      etcd_server_go_version: 'gauge',
      etcd_server_feature_enabled: 'gauge',
      etcd_disk_wal_fsync_duration_seconds: 'histogram',
      etcd_disk_wal_write_duration_seconds: 'histogram',
      etcd_disk_wal_write_bytes_total: 'gauge',
      etcd_disk_backend_commit_duration_seconds: 'histogram',
      etcd_disk_backend_defrag_duration_seconds: 'histogram',
      etcd_disk_backend_snapshot_duration_seconds: 'histogram',
      etcd_disk_defrag_inflight: 'gauge',
      etcd_snap_fsync_duration_seconds: 'histogram',
      etcd_snap_db_fsync_duration_seconds: 'histogram',
      etcd_snap_db_save_total_duration_seconds: 'histogram',
      etcd_network_client_grpc_received_bytes_total: 'counter',
      etcd_network_client_grpc_sent_bytes_total: 'counter',
      etcd_mvcc_range_total: 'counter',
      etcd_mvcc_put_total: 'counter',
      etcd_mvcc_delete_total: 'counter',
      etcd_mvcc_txn_total: 'counter',
      etcd_mvcc_db_total_size_in_bytes: 'gauge',
      etcd_mvcc_db_total_size_in_use_in_bytes: 'gauge',
      etcd_mvcc_db_open_read_transactions: 'gauge',
      etcd_mvcc_hash_duration_seconds: 'histogram',
      etcd_mvcc_hash_rev_duration_seconds: 'histogram',
      etcd_debugging_mvcc_keys_total: 'gauge',
      etcd_debugging_mvcc_watch_stream_total: 'gauge',
      etcd_debugging_mvcc_watcher_total: 'gauge',
      etcd_debugging_mvcc_slow_watcher_total: 'gauge',
      etcd_debugging_mvcc_pending_events_total: 'gauge',
      etcd_debugging_mvcc_total_put_size_in_bytes: 'gauge',
      etcd_debugging_mvcc_current_revision: 'gauge',
      etcd_debugging_mvcc_compact_revision: 'gauge',
      etcd_debugging_mvcc_db_compaction_last: 'gauge',
      etcd_debugging_mvcc_events_total: 'counter',
      etcd_debugging_mvcc_db_compaction_keys_total: 'counter',
      etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds: 'histogram',
      etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds: 'histogram',
      etcd_debugging_mvcc_db_compaction_total_duration_milliseconds: 'histogram',
      etcd_debugging_lease_granted_total: 'counter',
      etcd_debugging_lease_revoked_total: 'counter',
      etcd_debugging_lease_renewed_total: 'counter',
      etcd_debugging_lease_ttl_total: 'histogram',
      etcd_debugging_server_lease_expired_total: 'counter',
      etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds: 'histogram',
      etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds: 'histogram',
      etcd_debugging_server_watch_send_loop_control_stream_duration_seconds: 'histogram',
      etcd_debugging_server_watch_send_loop_progress_duration_seconds: 'histogram',
      etcd_debugging_auth_revision: 'gauge',
      etcd_debugging_snap_save_marshalling_duration_seconds: 'histogram',
      etcd_debugging_snap_save_total_duration_seconds: 'histogram',
      etcd_debugging_disk_backend_commit_rebalance_duration_seconds: 'histogram',
      etcd_debugging_disk_backend_commit_spill_duration_seconds: 'histogram',
      etcd_debugging_disk_backend_commit_write_duration_seconds: 'histogram',
      etcd_debugging_store_expires_total: 'counter',
      etcd_debugging_store_watch_requests_total: 'counter',
      etcd_debugging_store_watchers: 'gauge',
      etcd_grpc_proxy_cache_hits_total: 'gauge',
      etcd_grpc_proxy_cache_keys_total: 'gauge',
      etcd_grpc_proxy_cache_misses_total: 'gauge',
      etcd_grpc_proxy_watchers_coalescing_total: 'gauge',
      etcd_grpc_proxy_events_coalescing_total: 'counter',
      os_fd_used: 'gauge',
      os_fd_limit: 'gauge',
      process_resident_memory_bytes: 'gauge',
      process_cpu_seconds_total: 'counter',
      process_start_time_seconds: 'gauge',
      promhttp_metric_handler_requests_in_flight: 'gauge',
      promhttp_metric_handler_requests_total: 'counter',
    };
    expect(
      Object.fromEntries(Object.keys(expected).map((name) => [name, types.get(name)])),
    ).toEqual(expected);
    // Metrics with labels and no samples do not exist yet.
    expect(types.has('etcd_network_active_peers')).toBe(false);
    expect(types.has('etcd_server_apply_duration_seconds')).toBe(false);
  });

  it('writes the lines that test tools look for', async () => {
    const metrics = create();
    metrics.server.clusterVersion.with('3.7').set(1);
    metrics.server.id.with('8e9e05c52164694d').set(1);
    const lines = (await metrics.registry.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'etcd_server_version{server_version="3.7.1"} 1',
        'etcd_cluster_version{cluster_version="3.7"} 1',
        'etcd_server_id{server_id="8e9e05c52164694d"} 1',
        'etcd_server_feature_enabled{name="LeaseCheckpoint",stage="ALPHA"} 1',
        'etcd_server_feature_enabled{name="CompactHashCheck",stage="ALPHA"} 0',
        'etcd_server_feature_enabled{name="AllBeta",stage="BETA"} 0',
        '# HELP etcd_server_has_leader Whether or not a leader exists. 1 is existence, 0 is not.',
      ]),
    );
    expect(lines.filter((line) => line === '')).toEqual(['']);
    const names = lines.filter((line) => line.startsWith('# TYPE'));
    expect(names).toEqual([...names].sort());
  });

  it('counts observations in cumulative buckets', async () => {
    const metrics = create();
    for (const seconds of [0.0005, 0.001, 0.0011, 4, 100]) metrics.wal.syncSeconds.observe(seconds);
    const lines = linesOf(await metrics.registry.text(), 'etcd_disk_wal_fsync_duration_seconds_');
    expect(lines).toEqual([
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 2',
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 3',
      ...[
        '0.004',
        '0.008',
        '0.016',
        '0.032',
        '0.064',
        '0.128',
        '0.256',
        '0.512',
        '1.024',
        '2.048',
      ].map((bound) => `etcd_disk_wal_fsync_duration_seconds_bucket{le="${bound}"} 3`),
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="4.096"} 4',
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="8.192"} 4',
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 5',
      'etcd_disk_wal_fsync_duration_seconds_sum 104.0026',
      'etcd_disk_wal_fsync_duration_seconds_count 5',
    ]);
  });

  it('writes large bounds as Go does', async () => {
    const text = await create().registry.text();
    expect(text).toContain('etcd_debugging_lease_ttl_total_bucket{le="524288"} 0');
    expect(text).toContain('etcd_debugging_lease_ttl_total_bucket{le="1.048576e+06"} 0');
    expect(text).toContain('etcd_debugging_lease_ttl_total_bucket{le="8.388608e+06"} 0');
  });

  it('keeps servers in one process apart', async () => {
    const [first, second] = [create(), create()];
    first.mvcc.puts.inc(3);
    expect(await first.registry.text()).toContain('\netcd_mvcc_put_total 3\n');
    expect(await second.registry.text()).toContain('\netcd_mvcc_put_total 0\n');
  });

  it('escapes label values', async () => {
    const metrics = create();
    metrics.server.learnerPromoteFailures.with('say "no"\nback\\slash').inc();
    expect(await metrics.registry.text()).toContain(
      'etcd_server_learner_promote_failures{Reason="say \\"no\\"\\nback\\\\slash"} 1',
    );
  });
});

describe('createRpcMetrics', () => {
  it('creates the methods of etcd with every code, those of others at first use', async () => {
    const metrics = create();
    const rpc = createRpcMetrics({ metrics, clock: nodeClock, extensive: false });
    rpc.observeMethod('/etcdserverpb.Watch/Watch', 'bidiStream');
    const lock = rpc.observeMethod('/v3lockpb.Lock/Lock', 'unary');
    const labels = 'grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"';
    const text = await metrics.registry.text();
    expect(text).toContain(`grpc_server_started_total{${labels}} 0`);
    expect(linesOf(text, 'grpc_server_handled_total{')).toHaveLength(17);
    expect(text).toContain(`grpc_server_handled_total{grpc_code="DeadlineExceeded",${labels}} 0`);
    expect(text).not.toContain('v3lockpb');
    expect(text).not.toContain('grpc_server_handling_seconds');
    lock.started(call());
    expect(await metrics.registry.text()).toContain(
      'grpc_server_started_total{grpc_method="Lock",grpc_service="v3lockpb.Lock",grpc_type="unary"} 1',
    );
  });

  it('counts a call', async () => {
    const metrics = create();
    const rpc = createRpcMetrics({ metrics, clock: nodeClock, extensive: true });
    const put = rpc.observeMethod('/etcdserverpb.KV/Put', 'unary');
    for (const version of ['3.7', undefined]) {
      const started = put.started(call(version));
      put.received(10);
      put.sent(20);
      put.handled(version === undefined ? GrpcCode.Unavailable : GrpcCode.OK, started);
    }
    const labels = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"';
    const lines = (await metrics.registry.text()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        `grpc_server_started_total{${labels}} 2`,
        `grpc_server_msg_received_total{${labels}} 2`,
        `grpc_server_msg_sent_total{${labels}} 2`,
        `grpc_server_handled_total{grpc_code="OK",${labels}} 1`,
        `grpc_server_handled_total{grpc_code="Unavailable",${labels}} 1`,
        `grpc_server_handling_seconds_count{${labels}} 2`,
        'etcd_network_client_grpc_received_bytes_total 20',
        'etcd_network_client_grpc_sent_bytes_total 40',
        'etcd_server_client_requests_total{client_api_version="3.7",type="unary"} 1',
        'etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 1',
      ]),
    );
  });

  it('bounds the versions that clients make up', async () => {
    const metrics = create();
    const rpc = createRpcMetrics({ metrics, clock: nodeClock, extensive: false });
    const put = rpc.observeMethod('/etcdserverpb.KV/Put', 'unary');
    for (let version = 0; version < 1000; version++) put.started(call(String(version)));
    const lines = linesOf(await metrics.registry.text(), 'etcd_server_client_requests_total{');
    expect(lines.length).toBeLessThanOrEqual(101);
    expect(lines.at(-1)).toMatch(/"unknown",type="unary"} 900$/);
  });
});
