import { type EtcdError, etcdError } from '../../proto/errors.js';
import type { RaftStatus } from '../../raft/status.js';

/** The part of the leader's log that a learner must hold to become a voter. */
const READY_SHARE = 0.9;

/**
 * Why the leader must not make a voter of that member yet, if so: NotLeader, MemberNotFound,
 * LearnerNotReady. Whether it is a learner at all is judged when the change is applied
 * (reference: raft-and-peers B6).
 */
export function refusalOfReadiness(
  { id: leader, progress }: Pick<RaftStatus, 'id' | 'progress'>,
  id: bigint,
): EtcdError | undefined {
  const own = progress.get(leader);
  if (own === undefined) return etcdError('NotLeader');
  const learner = progress.get(id);
  if (learner === undefined) return etcdError('MemberNotFound');
  return learner.match / own.match < READY_SHARE ? etcdError('LearnerNotReady') : undefined;
}
