import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import type { MemberUrl } from '../../../src/server/http/address.js';
import { ListenError } from '../../../src/server/http/listener.js';
import { PortMultiplexer } from '../../../src/server/http/port-multiplexer.js';
import { GrpcJsTransport } from '../../../src/server/rpc/grpc-js-transport.js';
import { tempDir } from '../../support/temp-dir.js';

const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const tcp = (host: string): MemberUrl => ({
  scheme: 'http',
  host,
  path: '',
  text: `http://${host}`,
});

function multiplexer(handler?: http.RequestListener): PortMultiplexer {
  const rpc = new GrpcJsTransport({
    clock: nodeClock,
    methods: [{ path: '/test.Echo/Say', kind: 'unary', handle: (request) => request }],
  });
  const port = new PortMultiplexer({
    clock: nodeClock,
    logger: silentLogger,
    rpc,
    http: handler ?? ((request, response) => response.end(`${request.method} ${request.url}`)),
  });
  cleanups.push(() => port.close(0));
  return port;
}

const identity = (bytes: Buffer): Buffer => bytes;

function say(target: string, text: string): Promise<string> {
  const client = new Client(target, credentials.createInsecure());
  cleanups.push(() => client.close());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      '/test.Echo/Say',
      identity,
      identity,
      Buffer.from(text),
      (error, reply) => (error === null ? resolve(String(reply)) : reject(error)),
    );
  });
}

async function get(options: http.RequestOptions): Promise<string> {
  const request = http.get(options);
  const [response] = await once(request, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return body;
}

async function replyTo(address: string, ...parts: string[]): Promise<string> {
  const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1');
  let reply = '';
  socket.on('data', (chunk) => (reply += chunk));
  socket.on('error', () => {});
  for (const part of parts) {
    await new Promise((resolve) => socket.write(part, resolve));
    await nextTurn();
  }
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return reply;
}

describe('with a bound on idle connections', () => {
  async function idlePort(): Promise<net.Socket> {
    const port = new PortMultiplexer({
      clock: nodeClock,
      logger: silentLogger,
      http: (_request, response) => response.end('answer'),
      idleMillis: 100,
    });
    cleanups.push(() => port.close(0));
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const socket = net.connect(Number(address.split(':').at(-1)), '127.0.0.1');
    cleanups.push(() => void socket.destroy());
    return socket;
  }

  it('closes one that asks nothing', async () => {
    const socket = await idlePort();
    socket.resume();
    await once(socket, 'close');
  });

  it('closes one that asks nothing more', async () => {
    const socket = await idlePort();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    await once(socket, 'close');
    expect(answer).toContain('answer');
  });
});

describe('PortMultiplexer', () => {
  it('serves gRPC and HTTP/1 on one TCP port', async () => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    expect(await say(address, 'hello')).toBe('hello');
    expect(await (await fetch(`http://${address}/health?x=1`)).text()).toBe('GET /health?x=1');
    const large = 'x'.repeat(1_000_000);
    expect(await say(address, large)).toBe(large);
  });

  it('serves several requests on one connection, and a body', async () => {
    const port = multiplexer((request, response) => {
      let length = 0;
      request.on('data', (chunk: Buffer) => (length += chunk.length));
      request.on('end', () => response.end(String(length)));
    });
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(() => agent.destroy());
    for (const length of [0, 10, 300_000]) {
      const request = http.request({
        agent,
        host: '127.0.0.1',
        port: address.split(':')[1],
        method: 'POST',
      });
      request.end(Buffer.alloc(length));
      const [response] = await once(request, 'response');
      let body = '';
      for await (const chunk of response) body += chunk;
      expect(body).toBe(String(length));
    }
  });

  it('takes first bytes in small pieces', async () => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const reply = await replyTo(
      address,
      'G',
      'ET /a HT',
      'TP/1.1\r',
      '\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(reply).toContain('200 OK');
    expect(reply).toContain('GET /a');
  });

  it.each([
    'hello\r\n',
    `GET /${'x'.repeat(5000)}`,
    'PRI * HTTP/2.0\r\n\r\nXX',
    'GET / HTTP/2.0\r\n',
  ])('closes a connection that speaks neither (%#)', async (head) => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    expect(await replyTo(address, head)).toBe('');
  });

  it.each([
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
    ['HTTP/1', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['something that nobody knows yet', 'GE'],
  ])('closes when a client that speaks %s ends its side', async (_name, head) => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1');
    socket.resume();
    socket.end(head, 'latin1');
    await once(socket, 'close');
  });

  it('survives whatever a client sends', async () => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const heads = ['', 'GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...heads),
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        async (head, garbage, reset) => {
          const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1');
          socket.on('error', () => {});
          socket.resume();
          socket.write(head);
          await new Promise((resolve) => socket.write(garbage, resolve));
          if (reset) socket.resetAndDestroy();
          else socket.end();
          await new Promise<void>((resolve) => socket.once('close', () => resolve()));
        },
      ),
      { numRuns: 60 },
    );
    expect(await say(address, 'still here')).toBe('still here');
    expect(await (await fetch(`http://${address}/`)).text()).toBe('GET /');
  });

  it('holds connections back until it starts', async () => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    let answered = false;
    const reply = fetch(`http://${address}/`).then((response) => {
      answered = true;
      return response.text();
    });
    const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    expect(answered).toBe(false);
    port.start();
    expect(await reply).toBe('GET /');
  });

  it('serves a unix socket, and removes a stale file first', async () => {
    const directory = await tempDir();
    const path = `${directory}/etcd.sock`;
    await writeFile(path, 'left behind');
    const port = multiplexer();
    const url: MemberUrl = { scheme: 'unix', host: '', path, text: `unix://${path}` };
    expect((await port.listen(url)).address).toBe(path);
    port.start();
    expect(await say(`unix:${path}`, 'hi')).toBe('hi');
    expect(await get({ socketPath: path, path: '/version' })).toBe('GET /version');
    await port.close(0);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('tells in the words of Go why it cannot listen', async () => {
    const port = multiplexer();
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    const failure = await port.listen(tcp(address)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ListenError);
    expect(failure).toMatchObject({
      code: 'EADDRINUSE',
      message: `listen tcp ${address}: bind: address already in use`,
    });
    await expect(port.listen(tcp('192.0.2.1:0'))).rejects.toThrow(
      'listen tcp 192.0.2.1:0: bind: cannot assign requested address',
    );
  });

  it('on close finishes open requests and drops idle and silent connections', async () => {
    let release = (): void => {};
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const port = multiplexer((_request, response) => {
      release = () => response.end('done');
      entered();
    });
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const silent = net.connect(Number(address.split(':')[1]), '127.0.0.1');
    await once(silent, 'connect');
    const reply = get({ host: '127.0.0.1', port: address.split(':')[1] });
    await inside;
    const closed = port.close(60_000);
    await once(silent, 'close');
    release();
    expect(await reply).toBe('done');
    await closed;
    await expect(fetch(`http://${address}/`)).rejects.toThrow();
  });

  it('on close cuts off what outlasts the grace', async () => {
    let entered = (): void => {};
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const port = multiplexer(() => entered());
    const { address } = await port.listen(tcp('127.0.0.1:0'));
    port.start();
    const reply = get({ host: '127.0.0.1', port: address.split(':')[1] });
    const failed = expect(reply).rejects.toThrow();
    await inside;
    await port.close(10);
    await failed;
  });
});
