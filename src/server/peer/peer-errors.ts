import type { IncomingHttpHeaders } from 'node:http';

/** Bodies that members tell refusals apart by (reference: raft-and-peers B1, B2). */
export const REFUSALS = {
  incompatibleVersion: 'incompatible version',
  clusterIdMismatch: 'cluster ID mismatch',
} as const;

/** A peer says that this member was removed from the cluster; it must stop. */
export class RefusedAsRemovedError extends Error {
  override readonly name = 'RefusedAsRemovedError';

  constructor() {
    super('the member has been permanently removed from the cluster');
  }
}

/** A peer refused a request for the version or the cluster of this member. */
export class IncompatiblePeerError extends Error {
  override readonly name = 'IncompatiblePeerError';
  /** The cluster of the peer. */
  readonly remoteClusterId: string;

  constructor(reason: string, headers: IncomingHttpHeaders) {
    super(reason);
    this.remoteClusterId = String(headers['x-etcd-cluster-id'] ?? '');
  }
}

/** What a 412 of a peer means. */
export function preconditionError(body: string, headers: IncomingHttpHeaders): Error {
  const reason = body.replace(/\n$/, '');
  if (reason === REFUSALS.incompatibleVersion || reason === REFUSALS.clusterIdMismatch) {
    return new IncompatiblePeerError(reason, headers);
  }
  return new Error(`unhandled error ${JSON.stringify(reason)} when precondition failed`);
}
