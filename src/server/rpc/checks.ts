import { isUtf8 } from 'node:buffer';
import { etcdError } from '../../proto/errors.js';
import type { LocalMember } from '../local-member.js';
import type { RpcCheck } from './rpc-observer.js';
import type { CallContext, RpcMethod, ServerStream } from './transport.js';

const NON_ASCII = /[^\0-\x7f]/;

/** Refuses a call whose client names its API version in bytes that are no text (reference: api 5). */
export const clientVersionCheck: RpcCheck = ({ metadata }) => {
  const version = metadata.get('client-api-version');
  if (version === undefined || !NON_ASCII.test(version)) return;
  if (!isUtf8(Buffer.from(version, 'latin1'))) throw etcdError('InvalidClientAPIVersion');
};

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

/** The same methods, each behind the checks; for those who have to see what the checks refuse. */
export function guardedMethods(
  methods: readonly RpcMethod[],
  checks: readonly RpcCheck[],
): RpcMethod[] {
  return methods.map((method): RpcMethod => {
    if (method.kind !== 'unary') {
      const serve = method.handle;
      return {
        path: method.path,
        kind: method.kind,
        handle(stream: ServerStream) {
          for (const check of checks) check(stream.context);
          serve(stream);
        },
      };
    }
    const answer = method.handle;
    return {
      path: method.path,
      kind: method.kind,
      handle(request, context) {
        for (const check of checks) check(context);
        return answer(request, context);
      },
    };
  });
}
