import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as rpc from '../../src/proto/gen/etcdserverpb/rpc.js';
import type { MessageCodec } from '../../src/proto/wire/message.js';
import { expectOnlyDecodeErrors } from './support/arbitraries.js';
import * as arbitrary from './support/messages.js';

function itDecodes<T>(name: string, messages: fc.Arbitrary<T>, codec: MessageCodec<T>): void {
  it(name, () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(codec.decode(codec.encode(message).finish())).toEqual(message);
      }),
    );
  });

  it(`${name}: malformed bytes give DecodeError alone`, () => {
    fc.assert(
      fc.property(messages, (message) => {
        expectOnlyDecodeErrors(codec.encode(message).finish().subarray(0, 400), (bytes) =>
          codec.decode(bytes),
        );
      }),
      { numRuns: 20 },
    );
  });
}

describe('requests are read as they were written', () => {
  itDecodes('range', arbitrary.rangeRequest, rpc.RangeRequest);
  itDecodes('put', arbitrary.putRequest, rpc.PutRequest);
  itDecodes('delete range', arbitrary.deleteRangeRequest, rpc.DeleteRangeRequest);
  itDecodes('transaction', arbitrary.txnRequest, rpc.TxnRequest);
  itDecodes('watch', arbitrary.watchRequest, rpc.WatchRequest);

  it('alias their input', () => {
    const put = rpc.PutRequest.create({ key: Buffer.from('key'), value: Buffer.from('value') });
    const encoded = rpc.PutRequest.encode(put).finish();
    expect(rpc.PutRequest.decode(encoded).value.buffer).toBe(encoded.buffer);
  });
});
