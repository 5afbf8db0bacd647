import type { PutRequest, RequestOp, TxnRequest } from '../../../proto/gen/etcdserverpb/rpc.js';

/** What a put counts beside its key and value, bytes. */
const PUT_OVERHEAD = 256;

/** Bytes a put counts against the quota (reference: semantics 4.1). */
export function putCost({ key, value }: Pick<PutRequest, 'key' | 'value'>): number {
  return PUT_OVERHEAD + key.length + value.length;
}

/** Bytes a transaction counts: those of its dearer branch, nested transactions included. */
export function txnCost({ success, failure }: TxnRequest): number {
  return Math.max(branchCost(success), branchCost(failure));
}

function branchCost(operations: readonly RequestOp[]): number {
  let cost = 0;
  for (const { request } of operations) {
    if (request?.$case === 'requestPut') {
      cost += putCost(request.value);
    } else if (request?.$case === 'requestTxn') {
      cost += txnCost(request.value);
    }
  }
  return cost;
}
