import { DISK_SECONDS, exponentialBounds } from './instruments.js';
import type { MetricRegistry } from './registry.js';

export function leaseMetrics(registry: MetricRegistry) {
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

export function tlsMetrics(registry: MetricRegistry) {
  return {
    notAfter: registry.labelledGauge(
      'etcdkit_certificate_not_after_timestamp_seconds',
      'When the first certificate of a file that the server uses ends, seconds since the Unix epoch.',
      'path',
    ),
  };
}

export function auditMetrics(registry: MetricRegistry) {
  return {
    lines: registry.counter(
      'etcdkit_audit_log_lines_total',
      'The total number of lines written to the audit log.',
    ),
    queuedBytes: registry.gauge(
      'etcdkit_audit_log_queued_bytes',
      'Size of the records that are not yet lines in the audit log.',
    ),
    waits: registry.counter(
      'etcdkit_audit_log_waits_total',
      'The total number of requests that waited for the audit log.',
    ),
    refusals: registry.counter(
      'etcdkit_audit_log_refused_requests_total',
      'The total number of requests refused because the audit log could not take their line.',
    ),
    writeFailures: registry.counter(
      'etcdkit_audit_log_write_failures_total',
      'The total number of failed writes.',
    ),
    lostLines: registry.counter(
      'etcdkit_audit_log_lost_lines_total',
      'Lines that could not be written before the server stopped.',
    ),
  };
}

export function watchMetrics(registry: MetricRegistry) {
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

export function healthMetrics(registry: MetricRegistry) {
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

export function scrapeMetrics(registry: MetricRegistry) {
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
export function addDeadMetrics(registry: MetricRegistry): void {
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
