import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as rpc from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { Event, KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import { encodeDeleteRangeResponse } from '../../../src/proto/hot/delete-range.js';
import { encodeRevisionHeader, ResponseHeaderEncoder } from '../../../src/proto/hot/header.js';
import { encodePutResponse } from '../../../src/proto/hot/put.js';
import { encodeRangeResponse, encodeRangeStreamResponse } from '../../../src/proto/hot/range.js';
import { type EncodedResponse, encodeTxnResponse } from '../../../src/proto/hot/txn.js';
import {
  encodeEvent,
  encodeEventList,
  encodeWatchResponse,
  watchResponseSize,
} from '../../../src/proto/hot/watch.js';
import * as arbitrary from '../support/messages.js';

const encodedHeader = (header: rpc.ResponseHeader | undefined): Buffer | undefined =>
  header === undefined ? undefined : rpc.ResponseHeader.encode(header).finish();
const encodedKeyValue = (keyValue: KeyValue): Buffer => KeyValue.encode(keyValue).finish();
const hex = (bytes: Buffer): string => bytes.toString('hex');

describe('hot response encoders give the bytes of the generated ones', () => {
  it('header', () => {
    fc.assert(
      fc.property(arbitrary.header, arbitrary.header, (first, second) => {
        const encoder = new ResponseHeaderEncoder(first.clusterId, first.memberId);
        for (const { revision, raftTerm } of [first, second, second, first]) {
          const expected = rpc.ResponseHeader.encode({ ...first, revision, raftTerm }).finish();
          expect(hex(encoder.encode(revision, raftTerm))).toBe(hex(expected));
        }
        const revisionOnly = rpc.ResponseHeader.create({ revision: first.revision });
        expect(hex(encodeRevisionHeader(first.revision))).toBe(
          hex(rpc.ResponseHeader.encode(revisionOnly).finish()),
        );
      }),
    );
  });

  it('range', () => {
    fc.assert(
      fc.property(arbitrary.rangeResponse, (response) => {
        const { header, kvs, more, count } = response;
        const actual = encodeRangeResponse(
          encodedHeader(header),
          kvs.map(encodedKeyValue),
          more,
          count,
        );
        expect(hex(actual)).toBe(hex(rpc.RangeResponse.encode(response).finish()));
        expect(hex(encodeRangeStreamResponse(actual))).toBe(
          hex(rpc.RangeStreamResponse.encode({ rangeResponse: response }).finish()),
        );
      }),
    );
  });

  it('put', () => {
    fc.assert(
      fc.property(arbitrary.putResponse, (response) => {
        const { header, prevKv } = response;
        const previous = prevKv === undefined ? undefined : encodedKeyValue(prevKv);
        expect(hex(encodePutResponse(encodedHeader(header), previous))).toBe(
          hex(rpc.PutResponse.encode(response).finish()),
        );
      }),
    );
  });

  it('delete range', () => {
    fc.assert(
      fc.property(arbitrary.deleteRangeResponse, (response) => {
        const { header, deleted, prevKvs } = response;
        const actual = encodeDeleteRangeResponse(
          encodedHeader(header),
          deleted,
          prevKvs.map(encodedKeyValue),
        );
        expect(hex(actual)).toBe(hex(rpc.DeleteRangeResponse.encode(response).finish()));
      }),
    );
  });

  it('transaction', () => {
    type Operation = NonNullable<rpc.ResponseOp['response']>;
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      arbitrary.rangeResponse.map((value) => ({ $case: 'responseRange' as const, value })),
      arbitrary.putResponse.map((value) => ({ $case: 'responsePut' as const, value })),
      arbitrary.deleteRangeResponse.map((value) => ({
        $case: 'responseDeleteRange' as const,
        value,
      })),
      fc.boolean().map((succeeded) => ({
        $case: 'responseTxn' as const,
        value: { header: rpc.ResponseHeader.create(), succeeded, responses: [] },
      })),
    );
    const encodeOperation = (response: Operation): EncodedResponse => {
      switch (response.$case) {
        case 'responseRange':
          return { kind: 'range', bytes: rpc.RangeResponse.encode(response.value).finish() };
        case 'responsePut':
          return { kind: 'put', bytes: rpc.PutResponse.encode(response.value).finish() };
        case 'responseDeleteRange':
          return {
            kind: 'deleteRange',
            bytes: rpc.DeleteRangeResponse.encode(response.value).finish(),
          };
        case 'responseTxn':
          return { kind: 'txn', bytes: rpc.TxnResponse.encode(response.value).finish() };
      }
    };
    fc.assert(
      fc.property(
        arbitrary.header,
        fc.boolean(),
        fc.array(operation, { maxLength: 5 }),
        (header, succeeded, operations) => {
          const actual = encodeTxnResponse(
            encodedHeader(header),
            succeeded,
            operations.map(encodeOperation),
          );
          const responses = operations.map((response) => ({ response }));
          const expected = rpc.TxnResponse.encode({ header, succeeded, responses }).finish();
          expect(hex(actual)).toBe(hex(expected));
        },
      ),
    );
    // A nested response has a header that is there but empty (reference: api 6).
    expect(hex(encodeTxnResponse(Buffer.alloc(0), false, []))).toBe('0a00');
  });

  it('watch', () => {
    fc.assert(
      fc.property(arbitrary.watchResponse, (response) => {
        const events = response.events.map((event) => {
          const previous = event.prevKv === undefined ? undefined : encodedKeyValue(event.prevKv);
          const keyValue = encodedKeyValue(KeyValue.create(event.kv));
          const encoded = encodeEvent(event.type === 1, keyValue, previous);
          expect(hex(encoded)).toBe(hex(Event.encode(event).finish()));
          return encoded;
        });
        const header = rpc.ResponseHeader.encode(response.header).finish();
        const list = encodeEventList(events);
        const actual = encodeWatchResponse(header, response, list);
        expect(hex(actual)).toBe(hex(rpc.WatchResponse.encode(response).finish()));
        expect(watchResponseSize(header, response, list.length)).toBe(actual.length);
      }),
    );
    const bare = encodeWatchResponse(Buffer.alloc(0), { watchId: -1n });
    expect(rpc.WatchResponse.decode(bare)).toEqual(
      rpc.WatchResponse.create({ header: rpc.ResponseHeader.create(), watchId: -1n }),
    );
  });
});
