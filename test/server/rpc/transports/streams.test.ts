import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { etcdError, GrpcCode } from '../../../../src/proto/errors.js';
import type { RpcMethod, ServerStream } from '../../../../src/server/rpc/transport.js';
import { identity, serve, TRANSPORTS } from './support.js';

describe.each(TRANSPORTS)('streams over %s', (_name, Transport) => {
  const bidi = (handle: (stream: ServerStream) => void): RpcMethod => ({
    path: '/test.Echo/Chat',
    kind: 'bidiStream',
    handle,
  });

  it('carries messages both ways, half-close and end', async () => {
    const { client } = await serve(Transport, [
      bidi((stream) => {
        stream.onMessage((message) => void stream.send(message));
        stream.onHalfClose(() => stream.end());
      }),
    ]);
    const call = client.makeBidiStreamRequest('/test.Echo/Chat', identity, identity);
    const received: string[] = [];
    call.on('data', (message: Buffer) => received.push(message.toString()));
    for (const word of ['a', 'b', 'c']) call.write(Buffer.from(word));
    call.end();
    const [status] = await once(call, 'status');
    expect(status).toMatchObject({ code: GrpcCode.OK });
    expect(received).toEqual(['a', 'b', 'c']);
  });

  it('serves a server stream, and ends it with the status of an error', async () => {
    const { client } = await serve(Transport, [
      {
        path: '/test.Echo/Many',
        kind: 'serverStream',
        handle: (stream) =>
          stream.onMessage((message) => {
            stream.send(message);
            stream.send(message);
            stream.end(etcdError('WatchCanceled'));
          }),
      },
    ]);
    const call = client.makeServerStreamRequest(
      '/test.Echo/Many',
      identity,
      identity,
      Buffer.from('x'),
    );
    let count = 0;
    call.on('data', () => count++);
    const [error] = await once(call, 'error');
    expect(error).toMatchObject({
      code: GrpcCode.Canceled,
      details: 'etcdserver: watch canceled',
    });
    expect(count).toBe(2);
  });

  it('holds back a fast sender and calls it again', async () => {
    const message = Buffer.alloc(32 * 1024);
    const total = 200;
    let sent = 0;
    let refusals = 0;
    const { client } = await serve(Transport, [
      bidi((stream) => {
        const pump = (): void => {
          while (sent < total) {
            sent += 1;
            if (!stream.send(message)) {
              refusals += 1;
              return;
            }
          }
          stream.end();
        };
        stream.onDrain(pump);
        stream.onMessage(pump);
      }),
    ]);
    const call = client.makeBidiStreamRequest('/test.Echo/Chat', identity, identity);
    call.write(Buffer.alloc(0));
    await once(call, 'readable');
    expect(sent).toBeLessThan(total);
    let bytes = 0;
    call.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await once(call, 'end');
    expect(bytes).toBe(total * message.length);
    expect(refusals).toBeGreaterThan(1);
  });

  it('tells once that the stream is gone, whoever ended it', async () => {
    const closes: string[] = [];
    let closed = (): void => {};
    const { client } = await serve(Transport, [
      bidi((stream) => {
        stream.onMessage((message) => {
          if (message.toString() === 'end') stream.end();
          else stream.send(message);
        });
        stream.onClose(() => {
          closes.push(stream.context.signal.aborted ? 'cancelled' : 'ended');
          expect(stream.send(Buffer.from('late'))).toBe(false);
          closed();
        });
      }),
    ]);
    const first = new Promise<void>((resolve) => (closed = resolve));
    const ended = client.makeBidiStreamRequest('/test.Echo/Chat', identity, identity);
    ended.resume();
    ended.write(Buffer.from('end'));
    await first;

    const second = new Promise<void>((resolve) => (closed = resolve));
    const cancelled = client.makeBidiStreamRequest('/test.Echo/Chat', identity, identity);
    cancelled.on('error', () => {});
    cancelled.write(Buffer.from('x'));
    await once(cancelled, 'data');
    cancelled.cancel();
    await second;
    expect(closes).toEqual(['ended', 'cancelled']);
  });
});
