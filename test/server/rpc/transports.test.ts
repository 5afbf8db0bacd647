import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { etcdError, GrpcCode } from '../../../src/proto/errors.js';
import { GrpcJsTransport } from '../../../src/server/rpc/grpc-js-transport.js';
import { Http2Transport } from '../../../src/server/rpc/http2/http2-transport.js';
import type { RpcObserver } from '../../../src/server/rpc/rpc-observer.js';
import type {
  CallContext,
  RpcMethod,
  RpcTransport,
  ServerStream,
} from '../../../src/server/rpc/transport.js';
import type { RpcTransportOptions } from '../../../src/server/rpc/transport-options.js';
import { listenOnLoopback } from '../../support/loopback.js';

const identity = (bytes: Buffer): Buffer => bytes;
const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.each([
  ['our own', Http2Transport],
  ['grpc-js', GrpcJsTransport],
] as const)('the transport (%s)', (_name, Transport) => {
  async function serve(
    methods: readonly RpcMethod[],
    options: Partial<RpcTransportOptions> = {},
  ): Promise<{ transport: RpcTransport; client: Client; port: number }> {
    const transport = new Transport({ methods, clock: nodeClock, ...options });
    const listener = net.createServer((socket) => transport.accept(socket));
    const port = await listenOnLoopback(listener);
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    cleanups.push(
      () => void listener.close(),
      () => transport.close(0),
      () => client.close(),
    );
    return { transport, client, port };
  }

  interface CallOptions {
    readonly metadata?: Metadata;
    readonly timeoutMillis?: number;
  }

  function unary(
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

  async function failure(call: Promise<unknown>): Promise<{ code: number; details: string }> {
    const error = await call.then(
      () => {
        throw new Error('the call succeeded');
      },
      (reason: ServiceError) => reason,
    );
    return { code: error.code, details: error.details };
  }

  const echo: RpcMethod = { path: '/test.Echo/Say', kind: 'unary', handle: (request) => request };

  describe('unary calls', () => {
    it('answers with the bytes of the handler, also when empty or promised', async () => {
      const { client } = await serve([
        echo,
        {
          path: '/test.Echo/Later',
          kind: 'unary',
          handle: async (request) => Buffer.from(request),
        },
      ]);
      expect(await unary(client, '/test.Echo/Say', Buffer.from('hello'))).toEqual(
        Buffer.from('hello'),
      );
      expect(await unary(client, '/test.Echo/Say', Buffer.alloc(0))).toHaveLength(0);
      const big = Buffer.alloc(1_500_000, 7);
      expect((await unary(client, '/test.Echo/Later', big)).equals(big)).toBe(true);
    });

    it('gives the handler its context', async () => {
      let seen: CallContext | undefined;
      const { client } = await serve([
        {
          path: '/test.Echo/Say',
          kind: 'unary',
          handle: (request, context) => {
            seen = context;
            return request;
          },
        },
      ]);
      const metadata = new Metadata();
      metadata.set('hasleader', 'true');
      const before = nodeClock.monotonicMillis();
      await unary(client, '/test.Echo/Say', Buffer.alloc(0), { metadata, timeoutMillis: 60_000 });
      expect(seen?.method).toBe('/test.Echo/Say');
      expect(seen?.peer).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(seen?.metadata.get('hasleader')).toBe('true');
      expect(seen?.metadata.get('token')).toBeUndefined();
      expect(seen?.deadlineMillis).toBeGreaterThan(before + 50_000);
      expect(seen?.deadlineMillis).toBeLessThan(before + 70_000);
      expect(seen?.signal.aborted).toBe(false);
    });

    it('maps errors, thrown or rejected, to their status', async () => {
      const { client } = await serve([
        {
          path: '/test.Fail/Thrown',
          kind: 'unary',
          handle: () => {
            throw etcdError('Compacted');
          },
        },
        {
          path: '/test.Fail/Rejected',
          kind: 'unary',
          handle: () => Promise.reject(new Error('disk é 100% full')),
        },
      ]);
      expect(await failure(unary(client, '/test.Fail/Thrown', Buffer.alloc(0)))).toEqual({
        code: GrpcCode.OutOfRange,
        details: 'etcdserver: mvcc: required revision has been compacted',
      });
      expect(await failure(unary(client, '/test.Fail/Rejected', Buffer.alloc(0)))).toEqual({
        code: GrpcCode.Unknown,
        details: 'disk é 100% full',
      });
    });

    it('refuses unknown services and methods in the words of Go', async () => {
      const { client } = await serve([echo]);
      expect(await failure(unary(client, '/test.Echo/Shout', Buffer.alloc(0)))).toEqual({
        code: GrpcCode.Unimplemented,
        details: 'unknown method Shout for service test.Echo',
      });
      expect(await failure(unary(client, '/other.Echo/Say', Buffer.alloc(0)))).toEqual({
        code: GrpcCode.Unimplemented,
        details: 'unknown service other.Echo',
      });
    });

    it('refuses a request above the limit, and takes one at the limit', async () => {
      const { client } = await serve([echo], { maxReceiveBytes: 1000 });
      expect(await unary(client, '/test.Echo/Say', Buffer.alloc(1000))).toHaveLength(1000);
      expect(await failure(unary(client, '/test.Echo/Say', Buffer.alloc(1001)))).toEqual({
        code: GrpcCode.ResourceExhausted,
        details: 'grpc: received message larger than max (1001 vs. 1000)',
      });
    });

    it('refuses a response above the limit', async () => {
      const { client } = await serve([echo], { maxSendBytes: 10 });
      expect(await unary(client, '/test.Echo/Say', Buffer.alloc(10))).toHaveLength(10);
      expect(await failure(unary(client, '/test.Echo/Say', Buffer.alloc(11)))).toEqual({
        code: GrpcCode.ResourceExhausted,
        details: 'grpc: trying to send message larger than max (11 vs. 10)',
      });
    });

    it('runs the checks first, and a check may refuse', async () => {
      const order: string[] = [];
      const { client } = await serve([echo], {
        checks: [
          (context) => void order.push(context.method),
          () => {
            throw etcdError('NoLeader');
          },
        ],
      });
      expect(await failure(unary(client, '/test.Echo/Say', Buffer.alloc(0)))).toEqual({
        code: GrpcCode.Unavailable,
        details: 'etcdserver: no leader',
      });
      expect(order).toEqual(['/test.Echo/Say']);
    });

    const waiting = (entered: () => void, aborted: (reason: unknown) => void): RpcMethod => ({
      path: '/test.Echo/Wait',
      kind: 'unary',
      handle: (request, { signal }) =>
        new Promise((resolve) => {
          entered();
          signal.addEventListener('abort', () => {
            aborted(signal.reason);
            resolve(request);
          });
        }),
    });

    it('aborts the signal when the client cancels', async () => {
      let client: Client | undefined;
      const reason = await new Promise((resolve, reject) => {
        const cancel = (): void => call?.cancel();
        let call: ReturnType<Client['makeUnaryRequest']> | undefined;
        serve([waiting(cancel, resolve)]).then((served) => {
          client = served.client;
          call = client.makeUnaryRequest(
            '/test.Echo/Wait',
            identity,
            identity,
            Buffer.alloc(0),
            () => {},
          );
        }, reject);
      });
      expect(reason).toMatchObject({ reason: 'ContextCanceled' });
    });

    it('aborts the signal when the deadline passes, and answers in the words of Go', async () => {
      let reason: unknown;
      const { port } = await serve([
        waiting(
          () => {},
          (why) => (reason = why),
        ),
      ]);
      const session = http2.connect(`http://127.0.0.1:${port}`);
      const request = session.request({
        ':method': 'POST',
        ':path': '/test.Echo/Wait',
        'content-type': 'application/grpc',
        'grpc-timeout': '20m',
      });
      request.end(Buffer.from([0, 0, 0, 0, 0]));
      request.resume();
      const [headers] = await once(request, 'response');
      expect(headers['grpc-status']).toBe('4');
      expect(decodeURIComponent(headers['grpc-message'])).toBe('context deadline exceeded');
      await once(request, 'close');
      expect(reason).toMatchObject({ reason: 'ContextDeadlineExceeded' });
      session.destroy();
    });

    it('tells nobody to send a write again whose deadline passes', async () => {
      const path = '/etcdserverpb.KV/Put';
      const { port } = await serve([
        {
          ...waiting(
            () => {},
            () => {},
          ),
          path,
        },
      ]);
      const session = http2.connect(`http://127.0.0.1:${port}`);
      await once(session, 'connect');
      const startedMillis = performance.now();
      const request = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        'grpc-timeout': '30900u',
      });
      request.end(Buffer.from([0, 0, 0, 0, 0]));
      request.resume();
      const [headers] = await once(request, 'response');
      // The timers of grpc-js are early, as those of Node are.
      const leastMillis = Transport === GrpcJsTransport ? 0 : 30.9;
      expect(performance.now() - startedMillis).toBeGreaterThanOrEqual(leastMillis);
      expect(headers['grpc-status']).toBe('14');
      expect(decodeURIComponent(headers['grpc-message'])).toBe('etcdserver: request timed out');
      session.destroy();
    });
  });

  describe('streams', () => {
    const bidi = (handle: (stream: ServerStream) => void): RpcMethod => ({
      path: '/test.Echo/Chat',
      kind: 'bidiStream',
      handle,
    });

    it('carries messages both ways, half-close and end', async () => {
      const { client } = await serve([
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
      const { client } = await serve([
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
      const { client } = await serve([
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
      const { client } = await serve([
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

  describe('observation', () => {
    it('counts started, messages, bytes and the final code of each call once', async () => {
      const events: string[] = [];
      const observer: RpcObserver = {
        observeMethod: (path, kind) => ({
          started: (context) => {
            events.push(`${kind} started ${context.metadata.get('client-api-version')}`);
            return 42;
          },
          received: (bytes) => void events.push(`received ${bytes}`),
          sent: (bytes) => void events.push(`sent ${bytes}`),
          handled: (code, started) => void events.push(`${path} handled ${code} ${started}`),
        }),
      };
      const { client } = await serve([echo], { observer, maxReceiveBytes: 10 });
      const metadata = new Metadata();
      metadata.set('client-api-version', '3.7');
      await unary(client, '/test.Echo/Say', Buffer.from('abc'), { metadata });
      await failure(unary(client, '/test.Echo/Say', Buffer.alloc(11)));
      expect(events).toEqual([
        'unary started 3.7',
        'received 3',
        'sent 3',
        '/test.Echo/Say handled 0 42',
        'unary started undefined',
        '/test.Echo/Say handled 8 42',
      ]);
    });
  });

  describe('connections', () => {
    const openHttp2 = async (port: number): Promise<http2.ClientHttp2Session> => {
      const session = http2.connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      await once(session, 'connect');
      return session;
    };

    it('answers another content type with 415', async () => {
      const { port } = await serve([echo]);
      const session = await openHttp2(port);
      const [headers] = await once(session.request({ ':path': '/health' }), 'response');
      expect(headers[':status']).toBe(415);
      session.destroy();
    });

    it('waits forever for a client that says so', async () => {
      const { port } = await serve([echo]);
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
      const { port } = await serve([echo]);
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
      const { client, transport, port } = await serve([
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
      const { client, transport } = await serve([
        { path: '/test.Echo/Hang', kind: 'unary', handle: () => new Promise(() => entered()) },
      ]);
      const call = failure(unary(client, '/test.Echo/Hang', Buffer.alloc(0)));
      await inside;
      await transport.close(20);
      expect([GrpcCode.Unavailable, GrpcCode.Canceled]).toContain((await call).code);
    });
  });
});
