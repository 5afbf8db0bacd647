import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { GrpcCode } from '../../../../src/proto/errors.js';
import { echo, failure, serve, TRANSPORTS, unary } from './support.js';

describe.each(TRANSPORTS)('connections of %s', (_name, Transport) => {
  const openHttp2 = async (port: number): Promise<http2.ClientHttp2Session> => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    await once(session, 'connect');
    return session;
  };

  it('answers another content type with 415', async () => {
    const { port } = await serve(Transport, [echo]);
    const session = await openHttp2(port);
    const [headers] = await once(session.request({ ':path': '/health' }), 'response');
    expect(headers[':status']).toBe(415);
    session.destroy();
  });

  it('waits forever for a client that says so', async () => {
    const { port } = await serve(Transport, [echo]);
    const session = await openHttp2(port);
    const request = session.request({
      ':method': 'POST',
      ':path': '/test.Echo/Say',
      'content-type': 'application/grpc',
      'grpc-timeout': '99999999H',
    });
    request.end(Buffer.from([0, 0, 0, 0, 0]));
    request.resume();
    const [trailers] = await once(request, 'trailers');
    expect(trailers['grpc-status']).toBe('0');
    session.destroy();
  });

  it('closes a connection that pings too often', async () => {
    const { port } = await serve(Transport, [echo]);
    const session = await openHttp2(port);
    const goaway = once(session, 'goaway');
    const closed = new Promise<void>((resolve) => session.once('close', () => resolve()));
    for (let ping = 0; ping < 4; ping++) session.ping(() => {});
    const [code, , data] = await goaway;
    expect(code).toBe(0xb);
    expect(Buffer.from(data).toString()).toBe('too_many_pings');
    await closed;
  });

  it('on close lets open calls finish and takes no new connections', async () => {
    let release = (): void => {};
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { client, transport, port } = await serve(Transport, [
      {
        path: '/test.Echo/Slow',
        kind: 'unary',
        handle: (request) =>
          new Promise((resolve) => {
            release = () => resolve(request);
            entered();
          }),
      },
    ]);
    const call = unary(client, '/test.Echo/Slow', Buffer.from('late'));
    await inside;
    const closed = transport.close(60_000);
    const refused = net.connect(port, '127.0.0.1');
    refused.on('error', () => {});
    await once(refused, 'close');
    release();
    expect((await call).toString()).toBe('late');
    await closed;
  });

  it('on close ends the calls that outlast the grace', async () => {
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const { client, transport } = await serve(Transport, [
      { path: '/test.Echo/Hang', kind: 'unary', handle: () => new Promise(() => entered()) },
    ]);
    const call = failure(unary(client, '/test.Echo/Hang', Buffer.alloc(0)));
    await inside;
    await transport.close(20);
    expect([GrpcCode.Unavailable, GrpcCode.Canceled]).toContain((await call).code);
  });
});
