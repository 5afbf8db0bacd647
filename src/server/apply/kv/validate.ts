import { etcdError, GrpcCode, RpcError } from '../../../proto/errors.js';
import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
} from '../../../proto/gen/etcdserverpb/rpc.js';
import { checkDuplicateKeys } from './duplicate-keys.js';
import { hasDefaultOrder, hasFilters } from './range.js';

/** --max-txn-ops */
const DEFAULT_MAX_TXN_OPS = 128;

const SORT_ORDERS: ReadonlySet<number> = new Set(Object.values(SortOrder));
const SORT_TARGETS: ReadonlySet<number> = new Set(Object.values(SortTarget));

/*
 * Checks of a request that need no state, made before anything is proposed, in etcd's order
 * (reference: api 9).
 */

/** @throws EtcdError EmptyKey, InvalidSortOption */
export function checkRangeRequest(request: RangeRequest): void {
  requireKey(request.key);
  if (!SORT_ORDERS.has(request.sortOrder) || !SORT_TARGETS.has(request.sortTarget)) {
    throw etcdError('InvalidSortOption');
  }
}

/** @throws EtcdError as checkRangeRequest; RpcError Unimplemented for other orders and filters */
export function checkRangeStreamRequest(request: RangeRequest): void {
  checkRangeRequest(request);
  if (!hasDefaultOrder(request)) {
    throw new RpcError(GrpcCode.Unimplemented, 'RangeStream does not support custom sort orders');
  }
  if (hasFilters(request)) {
    throw new RpcError(GrpcCode.Unimplemented, 'RangeStream does not support revision filters');
  }
}

/** @throws EtcdError EmptyKey, ValueProvided, LeaseProvided */
export function checkPutRequest(request: PutRequest): void {
  requireKey(request.key);
  if (request.ignoreValue && request.value.length > 0) {
    throw etcdError('ValueProvided');
  }
  if (request.ignoreLease && request.lease !== 0n) {
    throw etcdError('LeaseProvided');
  }
}

/** @throws EtcdError EmptyKey */
export function checkDeleteRangeRequest(request: DeleteRangeRequest): void {
  requireKey(request.key);
}

/**
 * The structure of a transaction, then the keys its branches change twice.
 *
 * @throws EtcdError TooManyOps, EmptyKey, KeyNotFound (an operation without a request), those of
 *   the operations, DuplicateKey
 */
export function checkTxnRequest(request: TxnRequest, maxOps: number = DEFAULT_MAX_TXN_OPS): void {
  checkStructure(request, maxOps);
  checkDuplicateKeys(request.success);
  checkDuplicateKeys(request.failure);
}

function checkStructure({ compare, success, failure }: TxnRequest, limit: number): void {
  const count = Math.max(compare.length, success.length, failure.length);
  if (count > limit) {
    throw etcdError('TooManyOps');
  }
  for (const { key } of compare) {
    requireKey(key);
  }
  // Every nested transaction of this level may use what this level leaves.
  for (const operation of success) {
    checkOperation(operation, limit - count);
  }
  for (const operation of failure) {
    checkOperation(operation, limit - count);
  }
}

function checkOperation({ request }: RequestOp, limit: number): void {
  switch (request?.$case) {
    case 'requestRange':
      checkRangeRequest(request.value);
      break;
    case 'requestPut':
      checkPutRequest(request.value);
      break;
    case 'requestDeleteRange':
      checkDeleteRangeRequest(request.value);
      break;
    case 'requestTxn':
      checkStructure(request.value, limit);
      break;
    default:
      throw etcdError('KeyNotFound');
  }
}

function requireKey(key: Buffer): void {
  if (key.length === 0) {
    throw etcdError('EmptyKey');
  }
}
