import { EMPTY_BYTES } from '../../../base/bytes.js';
import { encodeDeleteRangeResponse } from '../../../proto/hot/delete-range.js';
import { encodeRevisionHeader } from '../../../proto/hot/header.js';
import { encodePutResponse } from '../../../proto/hot/put.js';
import { encodeRangeResponse } from '../../../proto/hot/range.js';
import { type EncodedResponse, encodeTxnResponse } from '../../../proto/hot/txn.js';
import type { BranchResult, OperationResult } from './txn.js';

/**
 * The TxnResponse of a result, around the encoded header of the response.
 *
 * Trap: the operations in it have headers with the revision alone, and a nested transaction has one
 * that is present but empty (reference: api 6).
 */
export function encodeTxnResult(header: Uint8Array | undefined, result: BranchResult): Buffer {
  return encodeTxnResponse(header, result.succeeded, result.results.map(encodeOperation));
}

function encodeOperation(result: OperationResult): EncodedResponse {
  return { kind: result.kind, bytes: encodeOperationBytes(result) };
}

function encodeOperationBytes({ kind, value }: OperationResult): Buffer {
  switch (kind) {
    case 'range': {
      const header = encodeRevisionHeader(value.revision);
      return encodeRangeResponse(header, value.keyValues, value.more, value.count);
    }
    case 'put':
      return encodePutResponse(encodeRevisionHeader(value.revision), value.previous);
    case 'deleteRange': {
      const header = encodeRevisionHeader(value.revision);
      return encodeDeleteRangeResponse(header, value.deleted, value.previous);
    }
    case 'txn':
      return encodeTxnResult(EMPTY_BYTES, value);
  }
}
