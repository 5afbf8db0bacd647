import type { Logger } from '../base/logger.js';
import { ETCD_VERSION } from '../base/version.js';
import type { ServerConfig } from './config/server-config.js';
import { healthSource } from './health-source.js';
import type { HttpHandlerOptions, VersionSource } from './http/http-handler.js';
import type { LocalMember } from './local-member.js';
import { refreshGauges } from './metrics/part-metrics.js';
import { MetricRegistry } from './metrics/registry.js';
import type { ServerMetrics } from './metrics/server-metrics.js';

/** The versions that a member shows to clients and peers. */
export function versionSource(member: LocalMember): VersionSource {
  return {
    serverVersion: ETCD_VERSION,
    clusterVersion: () => member.cluster.version,
    storageVersion: () => member.storageVersion || undefined,
  };
}

/** What the HTTP endpoints show of a member. */
export function httpOptions(
  member: LocalMember,
  metrics: ServerMetrics,
  config: ServerConfig,
  logger: Logger,
): HttpHandlerOptions {
  return {
    health: healthSource(member),
    versions: versionSource(member),
    metrics: {
      contentType: MetricRegistry.contentType,
      async text() {
        refreshGauges(metrics, member);
        return metrics.registry.text();
      },
    },
    healthMetrics: metrics.health,
    scrapeMetrics: metrics.scrape,
    logger,
    cors: config.cors,
    hostWhitelist: config.hostWhitelist,
  };
}
