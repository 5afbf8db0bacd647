import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as rpc from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { decodeDeleteRangeRequest } from '../../../src/proto/hot/delete-range.js';
import { decodePutRequest } from '../../../src/proto/hot/put.js';
import { decodeRangeRequest } from '../../../src/proto/hot/range.js';
import { decodeTxnRequest } from '../../../src/proto/hot/txn.js';
import { decodeWatchRequest } from '../../../src/proto/hot/watch.js';
import type { MessageCodec } from '../../../src/proto/wire/message.js';
import { expectOnlyDecodeErrors } from '../support/arbitraries.js';
import * as arbitrary from '../support/messages.js';

function itDecodes<T>(
  name: string,
  messages: fc.Arbitrary<T>,
  codec: MessageCodec<T>,
  decode: (bytes: Uint8Array) => T,
): void {
  it(name, () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decode(codec.encode(message).finish())).toEqual(message);
      }),
    );
  });

  it(`${name}: malformed bytes give DecodeError alone`, () => {
    fc.assert(
      fc.property(messages, (message) => {
        expectOnlyDecodeErrors(codec.encode(message).finish().subarray(0, 400), decode);
      }),
      { numRuns: 20 },
    );
  });
}

describe('hot request decoders read what the generated encoders write', () => {
  itDecodes('range', arbitrary.rangeRequest, rpc.RangeRequest, decodeRangeRequest);
  itDecodes('put', arbitrary.putRequest, rpc.PutRequest, decodePutRequest);
  itDecodes(
    'delete range',
    arbitrary.deleteRangeRequest,
    rpc.DeleteRangeRequest,
    decodeDeleteRangeRequest,
  );
  itDecodes('transaction', arbitrary.txnRequest, rpc.TxnRequest, decodeTxnRequest);
  itDecodes('watch', arbitrary.watchRequest, rpc.WatchRequest, decodeWatchRequest);

  it('alias their input', () => {
    const put = rpc.PutRequest.create({ key: Buffer.from('key'), value: Buffer.from('value') });
    const encoded = rpc.PutRequest.encode(put).finish();
    expect(decodePutRequest(encoded).value.buffer).toBe(encoded.buffer);
  });
});
