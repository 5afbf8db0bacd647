import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Client, type ClientOptions } from '../../../src/client/client.js';
import { diagnosesOf, errorText } from '../../../src/client/errors.js';
import { timeoutHeader } from '../../../src/client/transport/http2-connection.js';
import { percentDecode } from '../../../src/client/transport/status.js';
import { PutResponse, RangeResponse } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import {
  answer,
  type FakeGrpcServer,
  type FakeHandler,
  refuse,
  startFakeServer,
} from '../../support/fake-grpc-server.js';
import { freePort, listenOnLoopback } from '../../support/loopback.js';
import { TEST_CERTIFICATE } from '../../support/test-certificate.js';

const key = Buffer.from('k');
const RANGE = RangeResponse.encode(RangeResponse.create({ count: 7 })).finish();
const PUT = PutResponse.encode(PutResponse.create()).finish();
const UNAVAILABLE = 14;

const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup();
  }
});

function newClient(endpoint: string, options: Partial<ClientOptions> = {}): Client {
  const client = new Client({ endpoints: [endpoint], ...options });
  cleanups.push(() => client.close());
  return client;
}

async function serve(
  handler: FakeHandler,
  options: Parameters<typeof startFakeServer>[1] = {},
): Promise<FakeGrpcServer> {
  const server = await startFakeServer(handler, options);
  cleanups.push(() => server.close());
  return server;
}

/** A server whose n-th call is handled by the n-th function, and the rest by the last one. */
async function serveInTurn(
  ...handlers: FakeHandler[]
): Promise<{ server: FakeGrpcServer; calls: () => number }> {
  let calls = 0;
  const server = await serve((stream, headers) => {
    const handler = handlers[Math.min(calls, handlers.length - 1)];
    calls++;
    handler?.(stream, headers);
  });
  return { server, calls: () => calls };
}

const ok: FakeHandler = (stream) => answer(stream, [RANGE]);

describe('calls', () => {
  it('sends gRPC headers, metadata and the deadline', async () => {
    let seen: IncomingHttpHeaders = {};
    const server = await serve((stream, headers) => {
      seen = headers;
      answer(stream, [RANGE]);
    });
    const client = newClient(server.endpoint);
    const deadlineMillis = client.deadlineIn(3_000);
    const response = await client.kv.range({ key }, { deadlineMillis, requireLeader: true });
    expect(response.count).toBe(7);
    expect(seen).toMatchObject({
      ':path': '/etcdserverpb.KV/Range',
      ':authority': server.endpoint,
      'content-type': 'application/grpc',
      te: 'trailers',
      'client-api-version': '3.7',
      hasleader: 'true',
    });
    expect(seen['grpc-timeout']).toMatch(/^[12]\d{6}u$/);
  });

  it('takes a message that arrives byte by byte', async () => {
    const server = await serve((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      for (const byte of [0, 0, 0, 0, RANGE.length, ...RANGE]) {
        stream.write(Buffer.from([byte]));
      }
      stream.end();
    });
    expect((await newClient(server.endpoint).kv.range({ key })).count).toBe(7);
  });

  it.each([
    [
      'a status in trailers',
      (s: ServerHttp2Stream) =>
        answer(s, [], { 'grpc-status': '5', 'grpc-message': 'not%20here%E2%80%A6' }),
      'rpc error: code = NotFound desc = not here…',
    ],
    [
      'a status without a response',
      (s: ServerHttp2Stream) => refuse(s, 7, 'etcdserver: permission denied'),
      'etcdserver: permission denied',
    ],
    [
      'an HTTP status',
      (s: ServerHttp2Stream) => s.respond({ ':status': 404 }, { endStream: true }),
      'rpc error: code = Unimplemented desc = unexpected HTTP status code received from server: 404',
    ],
    [
      'OK without a message',
      (s: ServerHttp2Stream) => answer(s, []),
      'rpc error: code = Internal desc = the server sent no response message',
    ],
    [
      'no status at all',
      (s: ServerHttp2Stream) => {
        s.respond({ ':status': 200 });
        s.end();
      },
      'rpc error: code = Internal desc = server closed the stream without sending trailers',
    ],
    [
      'a reset',
      (s: ServerHttp2Stream) => s.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
      'rpc error: code = ResourceExhausted desc = stream terminated by RST_STREAM with error code: ENHANCE_YOUR_CALM',
    ],
    [
      'a compressed message',
      (s: ServerHttp2Stream) => {
        s.respond({ ':status': 200 });
        s.write(Buffer.from([1, 0, 0, 0, 0]));
      },
      'rpc error: code = Internal desc = grpc: compressed flag set with identity or empty encoding',
    ],
    [
      'a message that is not one',
      (s: ServerHttp2Stream) => answer(s, [Buffer.from([0x0a, 0x7f])]),
      /rpc error|decode|truncated|unexpected/i,
    ],
  ])('reports %s', async (_name, handler, expected) => {
    const server = await serve(handler);
    const failure = await newClient(server.endpoint).kv.put({ key }).catch(errorText);
    expect(failure).toMatch(expected);
  });

  it('resets no stream whose call was refused: servers drop a connection for too many', async () => {
    const resets: number[] = [];
    const server = await serve((stream) => {
      stream.on('aborted', () => resets.push(stream.rstCode ?? 0));
      refuse(stream, 3, 'etcdserver: key is not provided');
    });
    const client = newClient(server.endpoint);
    for (let i = 0; i < 1500; i++) {
      expect(await client.kv.put({ key }).catch(errorText)).toBe('etcdserver: key is not provided');
    }
    expect(resets).toEqual([]);
    expect(server.sessions).toHaveLength(1);
  });

  it('ends at the deadline and tells the server', async () => {
    let closed: (() => void) | undefined;
    const reset = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = await serve((stream) => stream.on('close', () => closed?.()));
    const client = newClient(server.endpoint);
    const failure = await client.kv
      .range({ key }, { deadlineMillis: client.deadlineIn(150) })
      .catch((error: unknown) => error);
    expect(errorText(failure)).toBe('context deadline exceeded');
    expect(diagnosesOf(failure)).toMatchObject([{ layer: 'deadline', endpoint: server.endpoint }]);
    await reset;
  });

  it('ends when the caller aborts', async () => {
    const abort = new AbortController();
    const server = await serve(() => abort.abort());
    const failure = newClient(server.endpoint).kv.range({ key }, { signal: abort.signal });
    expect(await failure.catch(errorText)).toBe('context canceled');
  });

  it('ends when the client closes', async () => {
    const server = await serve(() => client.close());
    const client = newClient(server.endpoint);
    expect(await client.kv.range({ key }).catch(errorText)).toBe(
      'rpc error: code = Canceled desc = grpc: the client connection is closing',
    );
  });
});

describe('retries', () => {
  it('repeats reads after Unavailable, up to the bound', async () => {
    const unavailable: FakeHandler = (stream) =>
      refuse(stream, UNAVAILABLE, 'etcdserver: leader changed');
    const { server, calls } = await serveInTurn(unavailable, unavailable, ok);
    expect((await newClient(server.endpoint).kv.range({ key })).count).toBe(7);
    expect(calls()).toBe(3);
  });

  it('does not repeat writes', async () => {
    const { server, calls } = await serveInTurn((stream) =>
      refuse(stream, UNAVAILABLE, 'etcdserver: no leader'),
    );
    expect(await newClient(server.endpoint).kv.put({ key }).catch(errorText)).toBe(
      'etcdserver: no leader',
    );
    expect(calls()).toBe(1);
  });

  it('does not repeat a write whose connection broke', async () => {
    const { server, calls } = await serveInTurn((stream) => stream.session?.destroy());
    expect(await newClient(server.endpoint).kv.put({ key }).catch(errorText)).toMatch(
      /^rpc error: code = Unavailable desc = /,
    );
    expect(calls()).toBe(1);
  });

  it('repeats even writes that the server did not process', async () => {
    const refused: FakeHandler = (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM);
    const { server, calls } = await serveInTurn(refused, (stream) => answer(stream, [PUT]));
    await newClient(server.endpoint).kv.put({ key });
    expect(calls()).toBe(2);
  });

  it('moves to a new connection after GOAWAY and lets open calls end', async () => {
    let calls = 0;
    const server = await serve((stream) => {
      calls++;
      if (calls === 1) {
        stream.session?.goaway(constants.NGHTTP2_NO_ERROR);
      }
      setImmediate(() => answer(stream, [RANGE]));
    });
    const client = newClient(server.endpoint);
    await client.kv.range({ key });
    await client.kv.range({ key });
    expect(server.sessions).toHaveLength(2);
  });

  it('fetches a fresh token when the server calls the old one invalid', async () => {
    const tokens: unknown[] = [];
    let issued = 0;
    const server = await serve((stream, headers) => {
      if (headers[':path'] === '/etcdserverpb.Auth/Authenticate') {
        issued++;
        answer(stream, [Buffer.concat([Buffer.from([0x12, 2]), Buffer.from(`t${issued}`)])]);
        return;
      }
      tokens.push(headers.token);
      if (issued < 2) {
        refuse(stream, 16, 'etcdserver: invalid auth token');
      } else {
        answer(stream, [PUT]);
      }
    });
    await newClient(server.endpoint, { user: 'root', password: 'p' }).kv.put({ key });
    expect(tokens).toEqual(['t1', 't2']);
  });

  it('logs each failed attempt', async () => {
    const { server } = await serveInTurn((stream) => refuse(stream, UNAVAILABLE, 'x'), ok);
    const lines: unknown[] = [];
    const { silentLogger } = await import('../../../src/base/logger.js');
    const logger = {
      ...silentLogger,
      warn: (message: string, fields: unknown) => lines.push([message, fields]),
    };
    await newClient(server.endpoint, { logger }).kv.range({ key });
    expect(lines).toEqual([
      [
        'retrying of unary invoker failed',
        {
          target: `etcd-endpoints:///${server.endpoint}`,
          peer: server.endpoint,
          method: '/etcdserverpb.KV/Range',
          attempt: 0,
          error: 'rpc error: code = Unavailable desc = x',
        },
      ],
    ]);
  });
});

describe('several endpoints', () => {
  async function counting(): Promise<{ server: FakeGrpcServer; calls: () => number }> {
    return serveInTurn(ok);
  }

  it('takes them in turn', async () => {
    const servers = [await counting(), await counting()];
    const client = new Client({ endpoints: servers.map(({ server }) => server.endpoint) });
    cleanups.push(() => client.close());
    await expect
      .poll(async () => {
        await client.kv.range({ key });
        return servers.every(({ calls }) => calls() > 0);
      })
      .toBe(true);
    const before = servers.map(({ calls }) => calls());
    for (let call = 0; call < 6; call++) {
      await client.kv.range({ key });
    }
    expect(servers.map(({ calls }, index) => calls() - (before[index] ?? 0))).toEqual([3, 3]);
  });

  it('goes on with the others when one is gone, and comes back to it', async () => {
    const [first, second] = [await counting(), await counting()];
    const client = new Client({ endpoints: [first.server.endpoint, second.server.endpoint] });
    cleanups.push(() => client.close());
    client.connect();
    await expect.poll(() => first.server.sessions.length + second.server.sessions.length).toBe(2);
    first.server.sessions[0]?.destroy();
    for (let call = 0; call < 4; call++) {
      expect((await client.kv.range({ key })).count).toBe(7);
    }
    await expect.poll(() => first.server.sessions.length).toBe(2);
    await expect
      .poll(async () => {
        await client.kv.range({ key });
        return first.calls() > 0;
      })
      .toBe(true);
  });
});

describe('diagnosis of connections', () => {
  /** The first thing the client finds out about an endpoint. */
  async function failure(endpoint: string, options: Partial<ClientOptions> = {}) {
    const client = newClient(endpoint, options);
    client.connect();
    await expect.poll(() => client.diagnoses().length, { timeout: 10_000, interval: 5 }).toBe(1);
    return client.diagnoses()[0];
  }

  it('comes with the error when the deadline passes', async () => {
    const endpoint = `127.0.0.1:${await freePort()}`;
    const client = newClient(endpoint);
    const error = await client.kv
      .range({ key }, { deadlineMillis: client.deadlineIn(300) })
      .catch((caught: unknown) => caught);
    expect(errorText(error)).toBe('context deadline exceeded');
    expect(diagnosesOf(error)).toEqual([
      {
        endpoint,
        layer: 'tcp',
        problem: 'connection refused',
        hint: 'is the server running and listening there?',
      },
    ]);
  });

  async function rawServer(onBytes: string | undefined): Promise<string> {
    const server: Server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(onBytes ?? ''));
    });
    const port = await listenOnLoopback(server);
    cleanups.push(() => new Promise((resolve) => server.close(() => resolve())));
    return `127.0.0.1:${port}`;
  }

  it('knows a refused connection', async () => {
    expect(await failure(`127.0.0.1:${await freePort()}`)).toMatchObject({
      layer: 'tcp',
      problem: 'connection refused',
    });
  });

  it('knows an address without a port', async () => {
    expect(await failure('localhost')).toMatchObject({ layer: 'address' });
  });

  it('knows a missing socket file', async () => {
    expect(await failure('unix:///nowhere/socket')).toMatchObject({
      layer: 'tcp',
      problem: 'no such socket file',
    });
  });

  it('knows a server that expects TLS', async () => {
    const server = await serve(ok, { tls: true });
    expect(await failure(`http://${server.endpoint}`)).toMatchObject({
      layer: 'tls',
      problem: 'the server expects TLS',
    });
  });

  it('knows a server that does not speak TLS', async () => {
    const server = await serve(ok);
    expect(await failure(`https://${server.endpoint}`)).toMatchObject({ layer: 'tls' });
    const http1 = await rawServer('HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(await failure(`https://${http1}`)).toMatchObject({
      layer: 'tls',
      problem: 'the server does not speak TLS',
    });
  });

  it('knows a certificate that it cannot trust', async () => {
    const server = await serve(ok, { tls: true });
    expect(await failure(`https://${server.endpoint}`)).toMatchObject({
      layer: 'tls',
      problem: "the server's certificate is self-signed",
    });
  });

  it('knows a server that wants a client certificate', async () => {
    const server = await serve(ok, { tls: true, requestCert: true });
    const tls = { ca: TEST_CERTIFICATE };
    expect(await failure(`https://${server.endpoint}`, { tls })).toMatchObject({
      layer: 'tls',
      problem: 'the server requires a client certificate',
    });
  });

  it('knows servers that speak something else', async () => {
    expect(await failure(await rawServer('HTTP/1.1 400 Bad Request\r\n\r\n'))).toMatchObject({
      layer: 'http2',
      problem: 'the server speaks HTTP/1 and not gRPC',
    });
    expect(await failure(await rawServer(undefined))).toMatchObject({ layer: 'http2' });
  });
});

describe('TLS', () => {
  it('speaks it to a server it trusts, or that it was told to trust', async () => {
    const server = await serve(ok, { tls: true });
    const trusting = newClient(`https://${server.endpoint}`, { tls: { ca: TEST_CERTIFICATE } });
    expect((await trusting.kv.range({ key })).count).toBe(7);
    const careless = newClient(server.endpoint, { tls: { insecureSkipVerify: true } });
    expect((await careless.kv.range({ key })).count).toBe(7);
  });
});

describe('header forms', () => {
  it.each([
    [0, '1u'],
    [1.5, '1500u'],
    [99_999, '99999000u'],
    [100_000, '100000m'],
    [200_000_000, '200000S'],
  ])('writes a timeout of %d ms as %s', (millis, text) => {
    expect(timeoutHeader(millis)).toBe(text);
  });

  it.each([
    ['plain', 'plain'],
    ['a%20b%', 'a b%'],
    ['%E2%80%A6', '…'],
    ['%zz', '%zz'],
  ])('decodes the message %s', (encoded, text) => {
    expect(percentDecode(encoded)).toBe(text);
  });
});
