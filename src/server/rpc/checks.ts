import { etcdError } from '../../proto/errors.js';
import type { LocalMember } from '../local-member.js';
import type { RpcCheck } from './rpc-observer.js';
import type { CallContext } from './transport.js';

/** Whether a call demands a member that knows a leader (reference: api 5, metadata `hasleader`). */
export function requiresLeader({ metadata }: CallContext): boolean {
  return metadata.get('hasleader') === 'true';
}

/** Refuses a call that demands a leader while there is none. */
export function requireLeaderCheck(member: Pick<LocalMember, 'leaderId'>): RpcCheck {
  return (context) => {
    if (requiresLeader(context) && member.leaderId === 0n) throw etcdError('NoLeader');
  };
}
