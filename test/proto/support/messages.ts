import fc from 'fast-check';
import type * as rpc from '../../../src/proto/gen/etcdserverpb/rpc.js';
import type { Event, KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import { bytes, int64, safeNumber, signedNumber, text, uint64 } from './arbitraries.js';

export const keyValue: fc.Arbitrary<KeyValue> = fc.record({
  key: bytes,
  createRevision: safeNumber,
  modRevision: safeNumber,
  version: safeNumber,
  value: bytes,
  lease: fc.oneof(fc.constant(0n), int64),
});

export const event: fc.Arbitrary<Event> = fc.record({
  type: fc.constantFrom(0, 1),
  kv: keyValue,
  prevKv: fc.option(keyValue, { nil: undefined }),
});

export const header: fc.Arbitrary<rpc.ResponseHeader> = fc.record({
  clusterId: uint64,
  memberId: uint64,
  revision: safeNumber,
  raftTerm: safeNumber,
});

const optionalHeader = fc.option(header, { nil: undefined });

export const rangeRequest: fc.Arbitrary<rpc.RangeRequest> = fc.record({
  key: bytes,
  rangeEnd: bytes,
  limit: signedNumber,
  revision: signedNumber,
  sortOrder: fc.constantFrom(0, 1, 2),
  sortTarget: fc.constantFrom(0, 1, 2, 3, 4),
  serializable: fc.boolean(),
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  minModRevision: signedNumber,
  maxModRevision: signedNumber,
  minCreateRevision: signedNumber,
  maxCreateRevision: signedNumber,
});

export const putRequest: fc.Arbitrary<rpc.PutRequest> = fc.record({
  key: bytes,
  value: bytes,
  lease: int64,
  prevKv: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
});

export const deleteRangeRequest: fc.Arbitrary<rpc.DeleteRangeRequest> = fc.record({
  key: bytes,
  rangeEnd: bytes,
  prevKv: fc.boolean(),
});

const compare: fc.Arbitrary<rpc.Compare> = fc.record({
  result: fc.constantFrom(0, 1, 2, 3),
  target: fc.constantFrom(0, 1, 2, 3, 4),
  key: bytes,
  targetUnion: fc.oneof(
    fc.constant(undefined),
    fc.record({ $case: fc.constant('version' as const), value: signedNumber }),
    fc.record({ $case: fc.constant('createRevision' as const), value: signedNumber }),
    fc.record({ $case: fc.constant('modRevision' as const), value: signedNumber }),
    fc.record({ $case: fc.constant('value' as const), value: bytes }),
    fc.record({ $case: fc.constant('lease' as const), value: int64 }),
  ),
  rangeEnd: bytes,
});

export const txnRequest: fc.Arbitrary<rpc.TxnRequest> = fc.letrec<{
  txn: rpc.TxnRequest;
  op: rpc.RequestOp;
}>((tie) => ({
  txn: fc.record({
    compare: fc.array(compare, { maxLength: 3 }),
    success: fc.array(tie('op'), { maxLength: 3 }),
    failure: fc.array(tie('op'), { maxLength: 2 }),
  }),
  op: fc.record({
    request: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant(undefined),
      fc.record({ $case: fc.constant('requestRange' as const), value: rangeRequest }),
      fc.record({ $case: fc.constant('requestPut' as const), value: putRequest }),
      fc.record({ $case: fc.constant('requestDeleteRange' as const), value: deleteRangeRequest }),
      fc.record({ $case: fc.constant('requestTxn' as const), value: tie('txn') }),
    ),
  }),
})).txn;

export const rangeResponse: fc.Arbitrary<rpc.RangeResponse> = fc.record({
  header: optionalHeader,
  kvs: fc.array(keyValue, { maxLength: 5 }),
  more: fc.boolean(),
  count: safeNumber,
});

export const putResponse: fc.Arbitrary<rpc.PutResponse> = fc.record({
  header: optionalHeader,
  prevKv: fc.option(keyValue, { nil: undefined }),
});

export const deleteRangeResponse: fc.Arbitrary<rpc.DeleteRangeResponse> = fc.record({
  header: optionalHeader,
  deleted: safeNumber,
  prevKvs: fc.array(keyValue, { maxLength: 5 }),
});

export const watchResponse: fc.Arbitrary<rpc.WatchResponse & { header: rpc.ResponseHeader }> =
  fc.record({
    header,
    watchId: int64,
    created: fc.boolean(),
    canceled: fc.boolean(),
    compactRevision: signedNumber,
    cancelReason: text,
    fragment: fc.boolean(),
    events: fc.array(event, { maxLength: 5 }),
  });

export const watchRequest: fc.Arbitrary<rpc.WatchRequest> = fc.record({
  requestUnion: fc.oneof(
    fc.record({
      $case: fc.constant('createRequest' as const),
      value: fc.record({
        key: bytes,
        rangeEnd: bytes,
        startRevision: signedNumber,
        progressNotify: fc.boolean(),
        filters: fc.array(fc.constantFrom(0, 1), { maxLength: 3 }),
        prevKv: fc.boolean(),
        watchId: int64,
        fragment: fc.boolean(),
      }),
    }),
    fc.record({
      $case: fc.constant('cancelRequest' as const),
      value: fc.record({ watchId: int64 }),
    }),
    fc.record({ $case: fc.constant('progressRequest' as const), value: fc.constant({}) }),
  ),
});
