import { keyText } from '../../../base/bytes.js';
import type { DeleteRangeRequest } from '../../../proto/gen/etcdserverpb/rpc.js';
import type { MvccStore } from '../../../storage/mvcc/store.js';
import type { WriteTransaction } from '../../../storage/mvcc/write-transaction.js';

export interface DeleteRangeResult {
  /** A new revision if anything was deleted, else the current one. */
  readonly revision: number;
  /** How many keys were deleted. */
  readonly deleted: number;
  /** Their encoded KeyValues before, in key order, if they were asked for. */
  readonly previous: readonly Buffer[];
}

/** Applies a deletion (reference: semantics 3.5). */
export function applyDeleteRange(store: MvccStore, request: DeleteRangeRequest): DeleteRangeResult {
  const transaction = store.write();
  const result = executeDeleteRange(transaction, request);
  transaction.end();
  return result;
}

/** Deletes within a transaction. */
export function executeDeleteRange(
  transaction: WriteTransaction,
  request: DeleteRangeRequest,
): DeleteRangeResult {
  const previous: Buffer[] = [];
  const deleted = transaction.deleteRange(
    keyText(request.key),
    keyText(request.rangeEnd),
    request.prevKv ? previous : undefined,
  );
  return { revision: transaction.revision, deleted, previous };
}
