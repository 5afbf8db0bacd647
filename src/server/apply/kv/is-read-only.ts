import type { RequestOp, TxnRequest } from '../../../proto/gen/etcdserverpb/rpc.js';

/**
 * Whether a transaction needs no proposal: every operation of both branches is a range. A nested
 * transaction counts as a write, even if it only reads (reference: semantics 3.6).
 */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  return everyOperation(request, ({ request: operation }) => operation?.$case === 'requestRange');
}

/**
 * Whether a read-only transaction may answer from the local state: all its ranges are serializable.
 *
 * Trap: a transaction of compares alone counts as serializable, so its answer may be stale.
 */
export function isSerializableTxn(request: TxnRequest): boolean {
  return everyOperation(
    request,
    ({ request: operation }) => operation?.$case === 'requestRange' && operation.value.serializable,
  );
}

function everyOperation(request: TxnRequest, test: (operation: RequestOp) => boolean): boolean {
  return request.success.every(test) && request.failure.every(test);
}
