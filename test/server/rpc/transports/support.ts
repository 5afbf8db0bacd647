import net from 'node:net';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { nodeClock } from '../../../../src/platform/node-clock.js';
import { GrpcJsTransport } from '../../../../src/server/rpc/grpc-js-transport.js';
import { Http2Transport } from '../../../../src/server/rpc/http2/http2-transport.js';
import type { RpcMethod, RpcTransport } from '../../../../src/server/rpc/transport.js';
import type { RpcTransportOptions } from '../../../../src/server/rpc/transport-options.js';
import { listenOnLoopback } from '../../../support/loopback.js';

/** All of them, which nobody is to tell apart. */
export const TRANSPORTS = [
  ['our own transport', Http2Transport],
  ['grpc-js', GrpcJsTransport],
] as const;

export const identity = (bytes: Buffer): Buffer => bytes;

/** Serves methods through a transport until the running test ends. */
export async function serve(
  Transport: (typeof TRANSPORTS)[number][1],
  methods: readonly RpcMethod[],
  options: Partial<RpcTransportOptions> = {},
): Promise<{ transport: RpcTransport; client: Client; port: number }> {
  const transport = new Transport({ methods, clock: nodeClock, ...options });
  const listener = net.createServer((socket) => transport.accept(socket));
  const port = await listenOnLoopback(listener);
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await transport.close(0);
    listener.close();
  });
  return { transport, client, port };
}

interface CallOptions {
  readonly metadata?: Metadata;
  readonly timeoutMillis?: number;
}

/** Calls a method that takes and gives one message. */
export function unary(
  client: Client,
  path: string,
  request: Buffer,
  options: CallOptions = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      identity,
      identity,
      request,
      options.metadata ?? new Metadata(),
      options.timeoutMillis === undefined ? {} : { deadline: Date.now() + options.timeoutMillis },
      (error, reply) => (error === null ? resolve(reply ?? Buffer.alloc(0)) : reject(error)),
    );
  });
}

/** What a call that fails was answered. */
export async function failure(call: Promise<unknown>): Promise<{ code: number; details: string }> {
  const error = await call.then(
    () => {
      throw new Error('the call succeeded');
    },
    (reason: ServiceError) => reason,
  );
  return { code: error.code, details: error.details };
}

export const echo: RpcMethod = {
  path: '/test.Echo/Say',
  kind: 'unary',
  handle: (request) => request,
};
