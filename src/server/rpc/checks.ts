import { etcdError } from '../../proto/errors.js';
import type { LocalMember } from '../local-member.js';
import type { RpcCheck } from './rpc-observer.js';

/**
 * Refuses a call that demands a leader while there is none (reference: api 5, metadata `hasleader`).
 */
export function requireLeaderCheck(member: LocalMember): RpcCheck {
  return ({ metadata }) => {
    if (metadata.get('hasleader') === 'true' && member.leaderId === 0n) throw etcdError('NoLeader');
  };
}
