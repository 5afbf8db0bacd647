import type { RequestOptions } from 'node:https';
import { etcdError } from '../../src/proto/errors.js';
import type { PeerEndpointSource } from '../../src/server/peer/peer-endpoints.js';

/** Plain HTTP to a peer URL. */
export function plainRequestOptions(peerUrl: string): RequestOptions {
  const { protocol, hostname, port } = new URL(peerUrl);
  return { protocol, hostname, port };
}

/** A member that other members may ask, with these answers. */
export function peerSource(answers: Partial<PeerEndpointSource> = {}): PeerEndpointSource {
  return {
    clusterId: 0xcdf818194e3a8c32n,
    versions: {
      serverVersion: '3.7.1',
      clusterVersion: () => '3.7.0',
      storageVersion: () => '3.7.0',
    },
    members: () => [],
    promote: async () => {
      throw etcdError('MemberNotFound');
    },
    waitApplied: async () => {},
    renewLease: async () => {
      throw etcdError('LeaseNotFound');
    },
    leaseTimeToLive: () => {
      throw etcdError('LeaseNotFound');
    },
    linearizableRead: async () => {},
    isDowngrading: () => false,
    hashKeyValues: async () => ({ revision: 1, currentRevision: 1, compactRevision: 0, hash: 0 }),
    ...answers,
  };
}
