import type { ServerHttp2Stream } from 'node:http2';
import { expect, it, onTestFinished } from 'vitest';
import { Client } from '../../src/client/client.js';
import { isProgress } from '../../src/client/watcher.js';
import {
  ResponseHeader,
  WatchRequest,
  WatchResponse,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import { startFakeServer } from '../support/fake-grpc-server.js';

const FOR_ALL = -1n;

function send(stream: ServerHttp2Stream, fields: Partial<WatchResponse>): void {
  const header = ResponseHeader.create({ revision: 7 });
  const message = WatchResponse.encode(WatchResponse.create({ header, ...fields })).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([prefix, message]));
}

/** Calls back with each request of the stream. */
function hear(stream: ServerHttp2Stream, onRequest: (kind: string | undefined) => void): void {
  let bytes = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      onRequest(WatchRequest.decode(bytes.subarray(5, end)).requestUnion?.$case);
      bytes = bytes.subarray(end);
    }
  });
}

// As etcd 3.7 may do: progress goes another way to the stream than what was created.
it('a watcher hears of progress from a server that tells it before what it has created', async () => {
  const server = await startFakeServer((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    hear(stream, (kind) => {
      if (kind === 'progressRequest') send(stream, { watchId: FOR_ALL });
      // By now a request for progress that did not wait has been answered.
      if (kind === 'createRequest') setTimeout(() => send(stream, { created: true }), 100);
    });
  });
  const client = new Client({ endpoints: [server.endpoint] });
  onTestFinished(async () => {
    client.close();
    await server.close();
  });
  const watcher = client.watch.watch({ key: Buffer.from('key') });
  client.watch.requestProgress();
  const { value } = await watcher[Symbol.asyncIterator]().next();
  expect(isProgress(value)).toBe(true);
  expect(value.header?.revision).toBe(7);
}, 5000);
