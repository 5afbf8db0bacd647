import { GrpcCode, isEtcdError, RpcError, statusOf } from '../../proto/errors.js';
import { type RpcDefinition, SERVICES } from '../../proto/services.js';
import { DEFAULT_SESSION_TTL_SECONDS } from '../../recipes/contender.js';
import type { LocalCalls } from './local-calls.js';
import { unaryMethod } from './methods.js';
import type { CallContext, RpcMethod } from './transport.js';

/**
 * A method of the lock or the election service.
 * Trap: all their errors reach the client with the code Unknown and etcd's text, whatever code the
 * same error has elsewhere (reference: api 7). Only the end of the server keeps its own, so that
 * clients go on at another member.
 */
export function recipeMethod<Request, Response>(
  definition: RpcDefinition<Request, Response, 'unary'>,
  handle: (request: Request, context: CallContext) => Promise<Response>,
): RpcMethod {
  return unaryMethod(definition, async (request, context) => {
    try {
      return await handle(request, context);
    } catch (error) {
      throw isEtcdError(error, 'Stopped') ? error : unknownError(error);
    }
  });
}

export function unknownError(error: unknown): RpcError {
  return new RpcError(GrpcCode.Unknown, statusOf(error).message);
}

/**
 * The lease that a request contends with.
 * Trap: 0 asks for a lease of 60 s that nobody keeps alive (reference: semantics 10).
 */
export async function contendingLease(
  calls: LocalCalls,
  lease: bigint,
  context: CallContext,
): Promise<bigint> {
  if (lease !== 0n) return lease;
  const { signal } = context;
  const request = { TTL: DEFAULT_SESSION_TTL_SECONDS };
  const { ID } = await calls.call(SERVICES.lease.leaseGrant, request, context, { signal });
  return ID;
}
