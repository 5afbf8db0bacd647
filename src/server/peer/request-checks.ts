import type { IncomingMessage } from 'node:http';
import type { PeerContext } from './peer-context.js';
import { REFUSALS } from './peer-errors.js';
import { areCompatible, MIN_CLUSTER_VERSION, parseVersion } from './peer-version.js';

/** A header that may be there once; of several values, the first. */
export function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/**
 * Whether a request comes from a member of this cluster with which this release can work.
 * @returns the body of the 412 that it gets otherwise
 */
export function refusalOf(context: PeerContext, request: IncomingMessage): string | undefined {
  const { serverVersion, clusterId, localId, logger } = context;
  const remoteVersion = headerOf(request, 'x-server-version');
  const remoteMinCluster = headerOf(request, 'x-min-cluster-version');
  const remoteClusterId = headerOf(request, 'x-etcd-cluster-id');
  const facts = {
    'local-member-id': localId,
    'local-member-cluster-id': clusterId,
    'local-member-server-version': serverVersion,
    'local-member-server-minimum-cluster-version': MIN_CLUSTER_VERSION,
    'remote-peer-server-name': headerOf(request, 'x-server-from'),
    'remote-peer-server-version': remoteVersion,
    'remote-peer-server-minimum-cluster-version': remoteMinCluster,
  };
  const local = parseVersion(serverVersion);
  const remote = parseVersion(remoteVersion);
  const minCluster = parseVersion(remoteMinCluster);
  if (
    local === undefined ||
    remote === undefined ||
    minCluster === undefined ||
    !areCompatible(local, remote, minCluster)
  ) {
    logger.warn('failed version compatibility check', facts);
    return REFUSALS.incompatibleVersion;
  }
  // Trap: cluster ids are compared as texts.
  if (remoteClusterId === clusterId) return undefined;
  logger.warn('request cluster ID mismatch', {
    ...facts,
    'remote-peer-cluster-id': remoteClusterId,
  });
  return REFUSALS.clusterIdMismatch;
}

/** A member id in hexadecimal; undefined: it is none. */
export function parseId(text: string): bigint | undefined {
  return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}
