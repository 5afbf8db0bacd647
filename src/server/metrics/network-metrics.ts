import { exponentialBounds } from './instruments.js';
import type { MetricRegistry } from './registry.js';

/** Traffic of clients. */
export function networkMetrics(registry: MetricRegistry) {
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
export function peerMetrics(registry: MetricRegistry) {
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
  return {
    snapshotSend: snapshotMetrics(registry, 'send', 'To', {
      successes: 'etcd_network_snapshot_send_success',
      failures: 'etcd_network_snapshot_send_failures',
      inFlight: 'etcd_network_snapshot_send_inflights_total',
      seconds: 'etcd_network_snapshot_send_total_duration_seconds',
    }),
    snapshotReceive: snapshotMetrics(registry, 'receive', 'From', {
      successes: 'etcd_network_snapshot_receive_success',
      failures: 'etcd_network_snapshot_receive_failures',
      inFlight: 'etcd_network_snapshot_receive_inflights_total',
      seconds: 'etcd_network_snapshot_receive_total_duration_seconds',
    }),
  };
}

function snapshotMetrics(
  registry: MetricRegistry,
  verb: 'send' | 'receive',
  label: 'To' | 'From',
  names: Readonly<Record<'successes' | 'failures' | 'inFlight' | 'seconds', string>>,
) {
  return {
    successes: registry.labelledCounter(
      names.successes,
      `Total number of successful snapshot ${verb}s`,
      label,
    ),
    failures: registry.labelledCounter(
      names.failures,
      `Total number of snapshot ${verb} failures`,
      label,
    ),
    inFlight: registry.labelledGauge(
      names.inFlight,
      `Total number of inflight snapshot ${verb}s`,
      label,
    ),
    seconds: registry.labelledHistogram(
      names.seconds,
      `Total latency distributions of v3 snapshot ${verb}s`,
      exponentialBounds(0.1, 10),
      label,
    ),
  };
}
