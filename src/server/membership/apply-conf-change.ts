import { type EtcdError, etcdError } from '../../proto/errors.js';
import { decodeConfChange } from '../../raft/confchange/codec.js';
import {
  type ConfChange,
  ConfChangeType,
  isConfChangeV2,
} from '../../raft/confchange/conf-change.js';
import type { Entry } from '../../raft/types.js';
import type { Cluster } from './cluster.js';
import { decodeMember, type Member } from './member.js';

/** A configuration change as it goes to Raft, and why the membership refused it, if it did. */
export interface MembershipChange {
  readonly change: ConfChange;
  readonly refusal: EtcdError | undefined;
}

/** How many learners a cluster may have, unless `--max-learners` says otherwise. */
export const DEFAULT_MAX_LEARNERS = 1;

/**
 * Carries a committed configuration change into the membership. A refused one goes to Raft with
 * node id 0, which changes nothing there (reference: semantics 9).
 * @param maxLearners how many learners the cluster may have; must be the same on all members, for
 *   all must come to the same end
 * @throws Error for the second form of changes, which etcd never writes
 */
export function applyMembershipChange(
  cluster: Cluster,
  entry: Entry,
  maxLearners = DEFAULT_MAX_LEARNERS,
): MembershipChange {
  const change = decodeConfChange(entry);
  if (isConfChangeV2(change)) {
    throw new Error(`the log entry ${entry.index} holds a ConfChangeV2, which etcd does not use`);
  }
  const refusal = refusalOf(cluster, change, maxLearners);
  if (refusal !== undefined) return { change: { ...change, nodeId: 0n }, refusal };
  carryOut(cluster, change);
  return { change, refusal: undefined };
}

function refusalOf(
  cluster: Cluster,
  change: ConfChange,
  maxLearners: number,
): EtcdError | undefined {
  const { nodeId, type } = change;
  if (cluster.isRemoved(nodeId)) return etcdError('MemberNotFound');
  const known = cluster.member(nodeId);
  switch (type) {
    case ConfChangeType.AddNode:
    case ConfChangeType.AddLearnerNode:
      return refusalToAdd(cluster, change, known, maxLearners);
    case ConfChangeType.RemoveNode:
      return known === undefined ? etcdError('MemberNotFound') : undefined;
    case ConfChangeType.UpdateNode:
      if (known === undefined) return etcdError('MemberNotFound');
      return urlsAreTaken(cluster, change) ? etcdError('PeerURLExist') : undefined;
  }
}

function refusalToAdd(
  cluster: Cluster,
  change: ConfChange,
  known: Member | undefined,
  maxLearners: number,
): EtcdError | undefined {
  const { isPromote } = decodeMember(change.context.toString());
  if (isPromote) {
    if (known === undefined) return etcdError('MemberNotFound');
    return known.isLearner ? undefined : etcdError('MemberNotLearner');
  }
  if (known !== undefined) return etcdError('MemberExist');
  if (urlsAreTaken(cluster, change)) return etcdError('PeerURLExist');
  if (change.type !== ConfChangeType.AddLearnerNode) return undefined;
  const learners = cluster.members().filter(({ isLearner }) => isLearner);
  return learners.length >= maxLearners ? etcdError('TooManyLearners') : undefined;
}

function urlsAreTaken(cluster: Cluster, { nodeId, context }: ConfChange): boolean {
  const { peerUrls } = decodeMember(context.toString());
  return cluster
    .members()
    .some(
      (member) => member.id !== nodeId && member.peerUrls.some((url) => peerUrls.includes(url)),
    );
}

function carryOut(cluster: Cluster, { nodeId, type, context }: ConfChange): void {
  if (type === ConfChangeType.RemoveNode) {
    cluster.remove(nodeId);
    return;
  }
  const { isPromote, ...described } = decodeMember(context.toString());
  const known = cluster.member(nodeId);
  if (known !== undefined && isPromote) {
    cluster.put({ ...known, isLearner: false });
  } else if (known !== undefined) {
    // Trap: an update takes over whether it is a learner, which etcd never says. Kept instead, a
    // later promotion would be carried out here and refused by the members that are etcds.
    const { peerUrls, isLearner } = described;
    cluster.put({ ...known, peerUrls, isLearner });
  } else {
    cluster.put({ ...described, isLearner: type === ConfChangeType.AddLearnerNode });
  }
}
