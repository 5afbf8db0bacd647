import { asBuffer } from '../../src/base/bytes.js';
import {
  CompactionRequest,
  CompactionResponse,
  Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  type RequestOp,
  type ResponseHeader,
  type ResponseOp,
  TxnRequest,
  TxnResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../../src/proto/services.js';
import type { Answer, Condition, Operation, Step } from './operations.js';
import { showKeyValues } from './operations.js';

/** An operation on the wire. */
export interface WireRequest {
  readonly path: string;
  readonly bytes: Buffer;
  readonly decode: (response: Uint8Array) => Answer;
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

function answer(header: ResponseHeader | undefined, content: string): Answer {
  if (header === undefined) throw new Error('a response without a header');
  return { revision: header.revision, content };
}

export function wireRequest(operation: Operation): WireRequest {
  const { kv, lease } = SERVICES;
  switch (operation.kind) {
    case 'put':
      return {
        path: kv.put.path,
        bytes: asBuffer(PutRequest.encode(putRequest(operation)).finish()),
        decode: (bytes) => answer(PutResponse.decode(bytes).header, ''),
      };
    case 'delete':
      return {
        path: kv.deleteRange.path,
        bytes: asBuffer(
          DeleteRangeRequest.encode(deleteRequest(operation.key, operation.end)).finish(),
        ),
        decode(bytes) {
          const { header, deleted } = DeleteRangeResponse.decode(bytes);
          return answer(header, String(deleted));
        },
      };
    case 'range': {
      const { key, end, isSerializable: serializable, revision } = operation;
      const request = { ...rangeRequest(key, end), serializable, revision };
      return {
        path: kv.range.path,
        bytes: asBuffer(RangeRequest.encode(request).finish()),
        decode(bytes) {
          const { header, kvs } = RangeResponse.decode(bytes);
          return answer(header, showKeyValues(kvs));
        },
      };
    }
    case 'txn': {
      const request = TxnRequest.create({
        compare: operation.conditions.map(compareOf),
        success: operation.success.map(requestOp),
        failure: operation.failure.map(requestOp),
      });
      return {
        path: kv.txn.path,
        bytes: asBuffer(TxnRequest.encode(request).finish()),
        decode(bytes) {
          const { header, succeeded, responses } = TxnResponse.decode(bytes);
          return answer(header, [succeeded, ...responses.map(showResponse)].join(';'));
        },
      };
    }
    case 'compact':
      return {
        path: kv.compact.path,
        bytes: asBuffer(
          CompactionRequest.encode({ revision: operation.revision, physical: false }).finish(),
        ),
        decode: (bytes) => answer(CompactionResponse.decode(bytes).header, ''),
      };
    case 'grant':
      return {
        path: lease.leaseGrant.path,
        bytes: asBuffer(
          LeaseGrantRequest.encode({ ID: operation.lease, TTL: operation.ttlSeconds }).finish(),
        ),
        decode: (bytes) => answer(LeaseGrantResponse.decode(bytes).header, ''),
      };
    case 'revoke':
      return {
        path: lease.leaseRevoke.path,
        bytes: asBuffer(LeaseRevokeRequest.encode({ ID: operation.lease }).finish()),
        decode: (bytes) => answer(LeaseRevokeResponse.decode(bytes).header, ''),
      };
    case 'keepAlive':
      return {
        path: lease.leaseKeepAlive.path,
        bytes: asBuffer(LeaseKeepAliveRequest.encode({ ID: operation.lease }).finish()),
        decode(bytes) {
          const { header, TTL } = LeaseKeepAliveResponse.decode(bytes);
          return answer(header, String(TTL));
        },
      };
  }
}

function putRequest({ key, value, lease }: { key: string; value: string; lease: bigint }) {
  return PutRequest.create({ key: latin1(key), value: latin1(value), lease });
}

function deleteRequest(key: string, end: string): DeleteRangeRequest {
  return DeleteRangeRequest.create({ key: latin1(key), rangeEnd: latin1(end) });
}

function rangeRequest(key: string, end: string): RangeRequest {
  return RangeRequest.create({ key: latin1(key), rangeEnd: latin1(end) });
}

function compareOf({ key, value }: Condition): Compare {
  return Compare.create({
    key: latin1(key),
    result: CompareResult.EQUAL,
    ...(value === undefined
      ? { target: CompareTarget.VERSION, targetUnion: { $case: 'version', value: 0 } }
      : { target: CompareTarget.VALUE, targetUnion: { $case: 'value', value: latin1(value) } }),
  });
}

function requestOp(step: Step): RequestOp {
  switch (step.kind) {
    case 'put':
      return { request: { $case: 'requestPut', value: putRequest(step) } };
    case 'delete':
      return { request: { $case: 'requestDeleteRange', value: deleteRequest(step.key, '') } };
    case 'range':
      return { request: { $case: 'requestRange', value: rangeRequest(step.key, step.end) } };
  }
}

function showResponse({ response }: ResponseOp): string {
  switch (response?.$case) {
    case 'responsePut':
      return 'put';
    case 'responseDeleteRange':
      return String(response.value.deleted);
    case 'responseRange':
      return showKeyValues(response.value.kvs);
    default:
      throw new Error('a transaction with an answer that nobody asked for');
  }
}
