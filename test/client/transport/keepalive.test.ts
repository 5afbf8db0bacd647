import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { CallContext } from '../../../src/client/call-context.js';
import { parseEndpoints } from '../../../src/client/endpoint.js';
import { Http2Transport } from '../../../src/client/transport/http2-transport.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeRandom } from '../../../src/platform/node-random.js';
import type { RpcError } from '../../../src/proto/errors.js';
import { startFakeServer } from '../../support/fake-grpc-server.js';
import { listenOnLoopback } from '../../support/loopback.js';

const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup();
  }
});

/** Forwards to `endpoint` until it is frozen: then bytes vanish though the connection stays. */
async function startFreezer(endpoint: string): Promise<{ endpoint: string; freeze: () => void }> {
  const sockets: Socket[] = [];
  let frozen = false;
  const [host = '', port = ''] = endpoint.split(':');
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    sockets.push(client, upstream);
    const pair: [Socket, Socket][] = [
      [client, upstream],
      [upstream, client],
    ];
    for (const [from, to] of pair) {
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.on('data', (chunk) => {
        if (!frozen) {
          to.write(chunk);
        }
      });
    }
  });
  const own = await listenOnLoopback(server);
  cleanups.push(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  return {
    endpoint: `127.0.0.1:${own}`,
    freeze: () => {
      frozen = true;
    },
  };
}

it('gives up a connection whose pings stay unanswered', async () => {
  let arrived: (() => void) | undefined;
  const request = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = await startFakeServer(() => arrived?.());
  cleanups.push(() => server.close());
  const freezer = await startFreezer(server.endpoint);
  const transport = new Http2Transport(parseEndpoints([freezer.endpoint], false), {
    clock: nodeClock,
    random: nodeRandom,
    tls: {},
    keepaliveMillis: 20,
    keepaliveTimeoutMillis: 60,
    maxSendBytes: 1000,
    maxReceiveBytes: 1000,
  });
  cleanups.push(() => transport.close());
  const context = new CallContext(nodeClock, {});
  const closed = new Promise<RpcError | undefined>((resolve, reject) => {
    const listener = { onMessage: () => undefined, onClose: resolve };
    const start = { path: '/etcdserverpb.KV/Range', metadata: {}, context };
    transport.open(start, listener).catch(reject);
  });
  await request;
  freezer.freeze();
  expect((await closed)?.message).toBe('keepalive ping failed to receive ACK within timeout');
});
