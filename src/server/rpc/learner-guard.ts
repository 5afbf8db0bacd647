import { etcdError } from '../../proto/errors.js';
import { RangeRequest } from '../../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../proto/services.js';
import type { LocalMember } from '../local-member.js';
import type { RpcMethod } from './transport.js';

/** What a learner serves whatever is asked. */
const SERVED: ReadonlySet<string> = new Set([
  SERVICES.maintenance.status.path,
  SERVICES.maintenance.snapshot.path,
]);

/**
 * The same methods, which a learner refuses but for status, snapshots and serializable ranges
 * (reference: semantics 5).
 */
export function guardLearner(
  methods: readonly RpcMethod[],
  member: Pick<LocalMember, 'isLearner'>,
): RpcMethod[] {
  const refuse = (): void => {
    if (member.isLearner) throw etcdError('NotSupportedForLearner');
  };
  return methods.map((method): RpcMethod => {
    if (SERVED.has(method.path)) return method;
    if (method.kind !== 'unary') {
      const serve = method.handle;
      return {
        path: method.path,
        kind: method.kind,
        handle(stream) {
          refuse();
          serve(stream);
        },
      };
    }
    const answer = method.handle;
    const isRange = method.path === SERVICES.kv.range.path;
    return {
      path: method.path,
      kind: method.kind,
      handle(request, context) {
        if (!isRange || (member.isLearner && !isSerializable(request))) refuse();
        return answer(request, context);
      },
    };
  });
}

/** A request that can't be read is for the service to refuse. */
function isSerializable(request: Buffer): boolean {
  try {
    return RangeRequest.decode(request).serializable;
  } catch {
    return true;
  }
}
