import { encodeMember, type Member } from './member.js';

/** What an addition to the members carries in the log (reference: raft-and-peers B6). */
export function additionContext(member: Member): Buffer {
  return Buffer.from(encodeMember(member));
}

/** What a change of a member's peer URLs carries. Trap: Go writes a list that was never made as null. */
export function updateContext(id: bigint, peerUrls: readonly string[]): Buffer {
  if (peerUrls.length === 0) return Buffer.from(`{"id":${id},"peerURLs":null}`);
  return Buffer.from(encodeMember({ id, peerUrls, isLearner: false, name: '', clientUrls: [] }));
}

/** What makes the addition of a voter the promotion of a learner. */
export function promotionContext(id: bigint): Buffer {
  return Buffer.from(`{"id":${id},"peerURLs":null,"isPromote":true}`);
}
