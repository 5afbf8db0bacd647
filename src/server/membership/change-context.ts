import { encodeMember, type Member } from './member.js';

/** What an addition to the members carries in the log (reference: raft-and-peers B6). */
export function additionContext(member: Member): Buffer {
  return Buffer.from(encodeMember(member));
}

/**
 * What a change of a member's peer URLs carries. etcd leaves out whether it is a learner, and so
 * forgets that it is one; told here, its members keep it too.
 * Trap: Go writes a list that was never made as null.
 */
export function updateContext(
  { id, isLearner }: Pick<Member, 'id' | 'isLearner'>,
  peerUrls: readonly string[],
): Buffer {
  if (peerUrls.length === 0) {
    return Buffer.from(`{"id":${id},"peerURLs":null${isLearner ? ',"isLearner":true' : ''}}`);
  }
  return Buffer.from(encodeMember({ id, peerUrls, isLearner, name: '', clientUrls: [] }));
}

/** What makes the addition of a voter the promotion of a learner. */
export function promotionContext(id: bigint): Buffer {
  return Buffer.from(`{"id":${id},"peerURLs":null,"isPromote":true}`);
}
