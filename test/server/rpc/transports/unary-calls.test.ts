import { once } from 'node:events';
import http2 from 'node:http2';
import { type Client, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../../src/platform/node-clock.js';
import { etcdError, GrpcCode } from '../../../../src/proto/errors.js';
import { GrpcJsTransport } from '../../../../src/server/rpc/grpc-js-transport.js';
import type { RpcObserver } from '../../../../src/server/rpc/rpc-observer.js';
import type { CallContext, RpcMethod } from '../../../../src/server/rpc/transport.js';
import { echo, failure, identity, serve, TRANSPORTS, unary } from './support.js';

describe.each(TRANSPORTS)('unary calls over %s', (_name, Transport) => {
  it('answers with the bytes of the handler, also when empty or promised', async () => {
    const { client } = await serve(Transport, [
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
    const { client } = await serve(Transport, [
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
    const { client } = await serve(Transport, [
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
    const { client } = await serve(Transport, [echo]);
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
    const { client } = await serve(Transport, [echo], { maxReceiveBytes: 1000 });
    expect(await unary(client, '/test.Echo/Say', Buffer.alloc(1000))).toHaveLength(1000);
    expect(await failure(unary(client, '/test.Echo/Say', Buffer.alloc(1001)))).toEqual({
      code: GrpcCode.ResourceExhausted,
      details: 'grpc: received message larger than max (1001 vs. 1000)',
    });
  });

  it('refuses a response above the limit', async () => {
    const { client } = await serve(Transport, [echo], { maxSendBytes: 10 });
    expect(await unary(client, '/test.Echo/Say', Buffer.alloc(10))).toHaveLength(10);
    expect(await failure(unary(client, '/test.Echo/Say', Buffer.alloc(11)))).toEqual({
      code: GrpcCode.ResourceExhausted,
      details: 'grpc: trying to send message larger than max (11 vs. 10)',
    });
  });

  it('runs the checks first, and a check may refuse', async () => {
    const order: string[] = [];
    const { client } = await serve(Transport, [echo], {
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
      serve(Transport, [waiting(cancel, resolve)]).then((served) => {
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
    const { port } = await serve(Transport, [
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
    const { port } = await serve(Transport, [
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

describe.each(TRANSPORTS)('observers of %s', (_name, Transport) => {
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
    const { client } = await serve(Transport, [echo], { observer, maxReceiveBytes: 10 });
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
