import type { OutgoingHttpHeaders } from 'node:http';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import { formatId } from '../membership/member.js';
import type { peerMetrics } from '../metrics/network-metrics.js';
import type { PeerAgents } from './peer-agent.js';
import { IncompatiblePeerError, REFUSALS } from './peer-errors.js';
import type { PeerIdentity, PeerReceiver } from './peer-transport.js';
import { MIN_CLUSTER_VERSION } from './peer-version.js';

export type PeerMetrics = ReturnType<typeof peerMetrics>;

export interface HttpPeerTransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: PeerMetrics;
  readonly agents: PeerAgents;
  /** Where this member is reached, as it tells peers that don't know it yet. */
  readonly advertisedPeerUrls: readonly string[];
  /** The release that this member is, three numbers. */
  readonly serverVersion: string;
  /** How long connecting to a peer may take: 1 s and an election timeout. */
  readonly dialTimeoutMillis: number;
  /** --raft-read-timeout: a stream that is silent for so long is broken. */
  readonly readTimeoutMillis: number;
  /** --raft-write-timeout: a stream that takes nothing for so long is broken. */
  readonly writeTimeoutMillis: number;
}

/** What all parts of one member's transport share. */
export interface PeerContext extends HttpPeerTransportOptions {
  readonly identity: PeerIdentity;
  readonly receiver: PeerReceiver;
  /** Ids of the member and its cluster as headers, labels and log lines have them. */
  readonly localId: string;
  readonly clusterId: string;
  /** Headers by which this member introduces itself. */
  readonly headers: OutgoingHttpHeaders;
}

export function createContext(
  options: HttpPeerTransportOptions,
  identity: PeerIdentity,
  receiver: PeerReceiver,
): PeerContext {
  const localId = formatId(identity.memberId);
  const clusterId = formatId(identity.clusterId);
  return {
    ...options,
    identity,
    receiver,
    localId,
    clusterId,
    headers: {
      'X-Server-From': localId,
      'X-Server-Version': options.serverVersion,
      'X-Min-Cluster-Version': MIN_CLUSTER_VERSION,
      'X-Etcd-Cluster-ID': clusterId,
      'X-PeerURLs': options.advertisedPeerUrls.join(','),
    },
  };
}

/** Says why a peer would not have to do with this member. */
export function logRefusal(context: PeerContext, peer: string, error: unknown): void {
  if (!(error instanceof IncompatiblePeerError)) return;
  const { logger, localId, clusterId } = context;
  if (error.message === REFUSALS.clusterIdMismatch) {
    logger.warn('request sent was ignored by remote peer due to cluster ID mismatch', {
      'remote-peer-id': peer,
      'remote-peer-cluster-id': error.remoteClusterId,
      'local-member-id': localId,
      'local-member-cluster-id': clusterId,
      error: error.message,
    });
  } else {
    logger.warn('request sent was ignored by remote peer due to server version incompatibility', {
      'local-member-id': localId,
      'remote-peer-id': peer,
      error: error.message,
    });
  }
}
