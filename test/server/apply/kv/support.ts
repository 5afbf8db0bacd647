import {
  Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  type TxnRequest,
} from '../../../../src/proto/gen/etcdserverpb/rpc.js';
import { KeyValue } from '../../../../src/proto/gen/mvccpb/kv.js';
import {
  applyDeleteRange,
  type DeleteRangeResult,
} from '../../../../src/server/apply/kv/delete-range.js';
import { applyPut, type PutResult } from '../../../../src/server/apply/kv/put.js';
import { executeRange, type RangeResult } from '../../../../src/server/apply/kv/range.js';
import { applyTxn, type TxnResult } from '../../../../src/server/apply/kv/txn.js';
import {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkTxnRequest,
} from '../../../../src/server/apply/kv/validate.js';
import type { MvccStore } from '../../../../src/storage/mvcc/store.js';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The options of requests, with text for bytes. */
type Options<T> = Partial<Omit<T, 'key' | 'rangeEnd' | 'value'>>;

export function range(key: string, end = '', options: Options<RangeRequest> = {}): RangeRequest {
  return RangeRequest.create({ key: bytes(key), rangeEnd: bytes(end), ...options });
}

export function put(key: string, value = '', options: Options<PutRequest> = {}): PutRequest {
  return PutRequest.create({ key: bytes(key), value: bytes(value), ...options });
}

export function del(key: string, end = '', prevKv = false): DeleteRangeRequest {
  return DeleteRangeRequest.create({ key: bytes(key), rangeEnd: bytes(end), prevKv });
}

/** Operations of a transaction. */
export const op = {
  range: (...args: Parameters<typeof range>): RequestOp => ({
    request: { $case: 'requestRange', value: range(...args) },
  }),
  put: (...args: Parameters<typeof put>): RequestOp => ({
    request: { $case: 'requestPut', value: put(...args) },
  }),
  del: (...args: Parameters<typeof del>): RequestOp => ({
    request: { $case: 'requestDeleteRange', value: del(...args) },
  }),
  txn: (...args: Parameters<typeof txn>): RequestOp => ({
    request: { $case: 'requestTxn', value: txn(...args) },
  }),
};

export function txn(
  success: readonly RequestOp[],
  failure: readonly RequestOp[] = [],
  compare: readonly Compare[] = [],
): TxnRequest {
  return { compare: [...compare], success: [...success], failure: [...failure] };
}

const RELATIONS = {
  '=': CompareResult.EQUAL,
  '!=': CompareResult.NOT_EQUAL,
  '>': CompareResult.GREATER,
  '<': CompareResult.LESS,
} as const;

/** One compare: `compare('version', 'key', '=', 0)`. */
export function compare(
  target: 'version' | 'createRevision' | 'modRevision' | 'value' | 'lease',
  key: string,
  relation: keyof typeof RELATIONS,
  value: number | string | bigint,
  end = '',
): Compare {
  const targets = {
    version: CompareTarget.VERSION,
    createRevision: CompareTarget.CREATE,
    modRevision: CompareTarget.MOD,
    value: CompareTarget.VALUE,
    lease: CompareTarget.LEASE,
  };
  const union = {
    $case: target,
    value: typeof value === 'string' ? bytes(value) : value,
  } as Compare['targetUnion'];
  return Compare.create({
    key: bytes(key),
    rangeEnd: bytes(end),
    target: targets[target],
    result: RELATIONS[relation],
    targetUnion: union,
  });
}

/** Compares that always hold, and that never do. */
export const ALWAYS: Compare[] = [];
export const NEVER: Compare[] = [compare('version', 'absent', '>', 0)];

/** Requests as a client sends them: checked, then applied. */
export class Client {
  readonly store: MvccStore;

  constructor(store: MvccStore) {
    this.store = store;
  }

  range(...args: Parameters<typeof range>): RangeResult {
    const request = range(...args);
    checkRangeRequest(request);
    return executeRange(this.store.reader, request);
  }

  put(...args: Parameters<typeof put>): PutResult {
    const request = put(...args);
    checkPutRequest(request);
    return applyPut(this.store, request);
  }

  del(...args: Parameters<typeof del>): DeleteRangeResult {
    const request = del(...args);
    checkDeleteRangeRequest(request);
    return applyDeleteRange(this.store, request);
  }

  txn(...args: Parameters<typeof txn>): TxnResult {
    const request = txn(...args);
    checkTxnRequest(request);
    return applyTxn(this.store, request, true);
  }
}

/** The decoded KeyValues of a result. */
export function keyValues(result: { readonly keyValues: readonly Buffer[] }): KeyValue[] {
  return result.keyValues.map((encoded) => KeyValue.decode(encoded));
}

/** The keys of a result, in order. */
export function keys(result: { readonly keyValues: readonly Buffer[] }): string[] {
  return keyValues(result).map(({ key }) => key.toString('latin1'));
}
