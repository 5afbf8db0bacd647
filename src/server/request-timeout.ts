import { type EtcdError, etcdError } from '../proto/errors.js';
import { NONE } from '../raft/types.js';
import type { Leadership } from './leadership.js';
import type { Cluster } from './membership/cluster.js';
import type { PeerTransport } from './peer/peer-transport.js';

export interface RequestTimeoutParts {
  readonly cluster: Cluster;
  readonly leadership: Pick<Leadership, 'leader' | 'isLocal' | 'electedMillis' | 'lostMillis'>;
  readonly transport: Pick<PeerTransport, 'activeSince'>;
  readonly electionMillis: number;
}

/**
 * Why a request that began then was not applied in time (reference: raft-and-peers B7, Proposal).
 * @param startedMillis monotonic
 */
export function timeoutError(parts: RequestTimeoutParts, startedMillis: number): EtcdError {
  const { leadership, electionMillis } = parts;
  const { leader, electedMillis, lostMillis } = leadership;
  // Trap: what could never be proposed is told so by the end of its context, not by etcd.
  if (leader === NONE && lostMillis <= startedMillis) return etcdError('ContextDeadlineExceeded');
  const previousLost = electedMillis - 2 * electionMillis;
  if (startedMillis > previousLost && startedMillis < electedMillis) {
    return etcdError('TimeoutDueToLeaderFail');
  }
  return isConnected(parts, startedMillis)
    ? etcdError('Timeout')
    : etcdError('TimeoutDueToConnectionLost');
}

/** Whether the members that had to answer were connected all the time. */
function isConnected(
  { cluster, leadership, transport }: RequestTimeoutParts,
  startedMillis: number,
): boolean {
  const isConnectedSince = (id: bigint): boolean => {
    const since = transport.activeSince(id);
    return id === cluster.localMemberId || (since !== undefined && since < startedMillis);
  };
  if (leadership.leader === NONE) return true;
  if (!leadership.isLocal) return isConnectedSince(leadership.leader);
  const voters = cluster.members().filter(({ isLearner }) => !isLearner);
  const connected = voters.filter(({ id }) => isConnectedSince(id)).length;
  return connected >= Math.floor(voters.length / 2) + 1;
}
