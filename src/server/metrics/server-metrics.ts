import { type ServerMetricsOptions, serverMetrics } from './member-metrics.js';
import { networkMetrics, peerMetrics } from './network-metrics.js';
import { MetricRegistry } from './registry.js';
import {
  addDeadMetrics,
  auditMetrics,
  healthMetrics,
  leaseMetrics,
  scrapeMetrics,
  tlsMetrics,
  watchMetrics,
} from './service-metrics.js';
import { backendMetrics, mvccMetrics, snapMetrics, walMetrics } from './storage-metrics.js';

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
    tls: tlsMetrics(registry),
    audit: auditMetrics(registry),
  };
}
