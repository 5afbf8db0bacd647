import { keyText } from '../../../base/bytes.js';
import { etcdError } from '../../../proto/errors.js';
import type { PutRequest } from '../../../proto/gen/etcdserverpb/rpc.js';
import { leaseOf, valueBytesOf } from '../../../proto/hot/key-value.js';
import type { MvccReader } from '../../../storage/mvcc/reader.js';
import type { MvccStore } from '../../../storage/mvcc/store.js';
import type { WriteTransaction } from '../../../storage/mvcc/write-transaction.js';

export interface PutResult {
  /** The revision of the put. */
  readonly revision: number;
  /** The encoded KeyValue before it, if it was asked for and there was one. */
  readonly previous: Buffer | undefined;
}

/**
 * Applies a put (reference: semantics 3.4).
 *
 * @throws EtcdError LeaseNotFound, KeyNotFound; nothing has changed then
 */
export function applyPut(store: MvccStore, request: PutRequest): PutResult {
  checkPut(store, request);
  const transaction = store.write();
  const result = executePut(transaction, request);
  transaction.end();
  return result;
}

/**
 * Whether the state allows a put.
 *
 * @throws EtcdError LeaseNotFound, then KeyNotFound
 */
export function checkPut(store: MvccStore, request: PutRequest): void {
  if (request.lease !== 0n && !store.hasLease(request.lease)) {
    throw etcdError('LeaseNotFound');
  }
  if (request.ignoreValue || request.ignoreLease) {
    const { reader } = store;
    if (reader.lookUp(keyText(request.key), reader.revision) === undefined) {
      throw etcdError('KeyNotFound');
    }
  }
}

/** Writes a put that was checked. */
export function executePut(transaction: WriteTransaction, request: PutRequest): PutResult {
  const { key, prevKv, ignoreValue, ignoreLease } = request;
  let { value, lease } = request;
  let previous: Buffer | undefined;
  if (prevKv || ignoreValue || ignoreLease) {
    previous = fetchNow(transaction, key);
  }
  if (ignoreValue || ignoreLease) {
    if (previous === undefined) {
      throw etcdError('KeyNotFound');
    }
    value = ignoreValue ? valueBytesOf(previous) : value;
    lease = ignoreLease ? leaseOf(previous) : lease;
  }
  const revision = transaction.put(key, value, lease);
  return { revision, previous: prevKv ? previous : undefined };
}

function fetchNow(reader: MvccReader, key: Buffer): Buffer | undefined {
  const found = reader.lookUp(keyText(key), reader.revision);
  return found === undefined ? undefined : reader.fetch(found);
}
