import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { Client, credentials } from '@grpc/grpc-js';
import { PutResponse, RangeResponse, TxnResponse } from '../src/proto/gen/etcdserverpb/rpc.js';
import type { MessageCodec } from '../src/proto/wire/message.js';
import { benchKey, benchValue, type RequestShape, requestMaker } from './load/requests.js';
import { unaryCall } from './unary-call.js';

const KEYS = 10;

/**
 * Sends the benchmark's own requests through a gRPC library and looks at the answers, because the
 * load process does no more than count those that say OK. Throws if a server answers wrongly.
 */
export async function verifySemantics(port: number): Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    for (let sequence = 0; sequence < KEYS; sequence++) {
      await call(client, { type: 'put', keyCount: KEYS }, sequence, PutResponse);
    }
    for (const serializable of [false, true]) {
      const shape = { type: 'get', keyCount: KEYS, serializable } as const;
      const { kvs } = await call(client, shape, 3, RangeResponse);
      deepStrictEqual(
        kvs.map(({ key, value, version }) => [key, value, version]),
        [[benchKey(1), benchValue(3), 1]],
      );
    }
    const range = { type: 'range', keyCount: KEYS, width: 7 } as const;
    const { kvs } = await call(client, range, 0, RangeResponse);
    deepStrictEqual(
      kvs.map(({ key }) => key),
      Array.from({ length: 7 }, (_, index) => benchKey(index)),
    );
    const fresh = { type: 'txn', firstKey: KEYS } as const;
    strictEqual((await call(client, fresh, 0, TxnResponse)).succeeded, true);
    strictEqual((await call(client, fresh, 0, TxnResponse)).succeeded, false);
  } finally {
    client.close();
  }
}

function call<Response>(
  client: Client,
  shape: RequestShape,
  sequence: number,
  codec: MessageCodec<Response>,
): Promise<Response> {
  const maker = requestMaker(shape);
  return unaryCall(client, maker.method, maker.make(sequence), codec);
}
