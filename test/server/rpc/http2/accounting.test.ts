import { connect } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { FLAG_ACK, FrameType, Setting } from '../../../../src/base/http2/frames.js';
import type { Clock } from '../../../../src/platform/clock.js';
import { ManualClock } from '../../../../src/platform/manual-clock.js';
import { nodeClock } from '../../../../src/platform/node-clock.js';
import { HttpExchange } from '../../../../src/server/rpc/http2/http-exchange.js';
import type { CallConnection } from '../../../../src/server/rpc/http2/http2-call.js';
import { LATE_BODY_MILLIS, MAX_HELD_BYTES } from '../../../../src/server/rpc/http2/limits.js';
import { Outgoing } from '../../../../src/server/rpc/http2/outgoing.js';
import { readRequestHead } from '../../../../src/server/rpc/http2/request-head.js';
import { ResponseWriter } from '../../../../src/server/rpc/http2/response-writer.js';
import { PingPolicy } from '../../../../src/server/rpc/ping-policy.js';
import type { RpcMethod } from '../../../../src/server/rpc/transport.js';
import { listenOnLoopback } from '../../../support/loopback.js';
import {
  call,
  callBlock,
  data,
  frame,
  headers,
  message,
  RawPeer,
  settings,
  uint32,
  windowUpdate,
} from '../../../support/raw-http2.js';
import { peer, reset, SAY, startTransport } from './support.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('memory', () => {
  it('of calls that end while the window of the connection is closed is freed', async () => {
    const calls: WeakRef<object>[] = [];
    const methods: RpcMethod[] = [
      {
        path: SAY,
        kind: 'unary',
        handle: (_request, context) => {
          calls.push(new WeakRef(context));
          return Buffer.alloc(1000);
        },
      },
    ];
    const client = peer({ methods }).open([Setting.InitialWindowSize, 2 ** 20]);
    // The first 65 answers take the window of the connection.
    for (let id = 1; id < 400; id += 2) client.send(call(id, SAY, ''));
    await client.settle();
    for (let id = 1; id < 400; id += 2) client.send(reset(id));
    await client.settle();
    collectGarbage();
    await client.settle();
    collectGarbage();
    expect(calls).toHaveLength(200);
    expect(calls.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(3);
  });

  it('of compressed messages that are none is freed', () => {
    const outgoing = new Outgoing(peer().socket as Socket, () => undefined);
    const connection: CallConnection = {
      peer: '127.0.0.1:1',
      commonName: undefined,
      writer: new ResponseWriter(outgoing, new PingPolicy(0), () => undefined),
      openCalls: 0,
      heldBytes: 0,
      replenish: () => undefined,
    };
    const fields = { ':method': 'POST', ':path': SAY, 'content-type': 'application/grpc' };
    const head = readRequestHead(
      Object.entries({ ...fields, 'grpc-encoding': 'gzip' }).map(([name, value]) => ({
        name,
        value,
      })),
    );
    if (head === undefined) throw new Error('malformed');
    const made = startTransport().createCall(1, head, connection);
    made?.start();
    const bytes = Buffer.concat([Buffer.of(1), uint32(100_000), Buffer.alloc(100_000, 7)]);
    made?.receive(bytes, 0, 60_000);
    expect(connection.heldBytes).toBeGreaterThan(50_000);
    made?.receive(bytes, 60_000, bytes.length);
    expect(connection).toMatchObject({ heldBytes: 0, openCalls: 0 });
  });

  it('for streams is limited even if nothing comes on them', async () => {
    const methods: RpcMethod[] = [{ path: SAY, kind: 'bidiStream', handle: () => undefined }];
    const client = peer({ methods }).open();
    const block = callBlock(SAY);
    const batch = 4096;
    const last = 2 * 2 ** 18 + 1;
    for (let first = 1; first <= last; first += 2 * batch) {
      client.send(...Array.from({ length: batch }, (_, i) => headers(first + 2 * i, block)));
      await client.settle();
    }
    expect(client.answer(last).resetCode).toBe(7);
    expect(client.answer(last - 2 * batch).resetCode).toBeUndefined();
  }, 20_000);
});

describe('a body that waited for its reader', () => {
  it('may go on when it is read', async () => {
    let body: Readable | undefined;
    const transport = startTransport({ http: (request) => (body = request) });
    const accept = transport.accept.bind(transport);
    transport.accept = (socket) => accept(Object.assign(socket, { encrypted: true }));
    const client = new RawPeer(transport).open();
    client.send(headers(1, Buffer.of(0x83, 0x87, 0x84)));
    const part = Buffer.alloc(16_384);
    const updates = (): number =>
      client.frames.filter(({ type, streamId }) => type === 8 && streamId === 1).length;
    for (let sent = 0; sent < 8 * 2 ** 20; sent += part.length) client.send(data(1, part, 0));
    await client.settle();
    expect(updates()).toBe(0);
    let read = 0;
    body?.on('data', (chunk: Buffer) => {
      read += chunk.length;
    });
    await client.settle();
    expect(read).toBe(8 * 2 ** 20);
    expect(updates()).toBe(1);
  });
});

describe('bodies that nobody reads', () => {
  it('have a limit together, and are freed with their streams', async () => {
    const client = peer();
    const connection: CallConnection = {
      peer: '127.0.0.1:1',
      commonName: undefined,
      writer: new ResponseWriter(
        new Outgoing(client.socket as Socket, () => undefined),
        new PingPolicy(0),
        () => undefined,
      ),
      openCalls: 0,
      heldBytes: 0,
      replenish: () => undefined,
    };
    const head = readRequestHead([{ name: ':method', value: 'POST' }]);
    if (head === undefined) throw new Error('malformed');
    const exchange = new HttpExchange(1, head, connection, client.socket as Socket, 0);
    exchange.receive(Buffer.alloc(100_000), 0, 100_000);
    expect(connection.heldBytes).toBe(100_000);
    exchange.request.read(60_000);
    await client.settle();
    expect(connection.heldBytes).toBe(40_000);
    connection.heldBytes += MAX_HELD_BYTES;
    exchange.receive(Buffer.alloc(100_000), 0, 100_000);
    expect(exchange.request.destroyed).toBe(true);
    exchange.close();
    expect(connection.heldBytes).toBe(MAX_HELD_BYTES);
  });
});

describe('work', () => {
  it('cannot be asked for without end by faults that reset a stream', async () => {
    const methods: RpcMethod[] = [
      { path: SAY, kind: 'unary', handle: () => new Promise(() => undefined) },
    ];
    const client = peer({ methods, maxConcurrentStreams: 1 }).open();
    for (let i = 0; i <= 20_000; i++) {
      const id = 2 * i + 1;
      client.send(call(id, SAY, ''), windowUpdate(id, 0));
    }
    await client.settle();
    expect(client.goaway?.code).toBe(11);
  });

  it('cannot be asked for by one frame with many settings again and again', async () => {
    const client = peer().open();
    const many = settings(
      ...Array.from({ length: 2000 }, (_, i) => [Setting.InitialWindowSize, i] as const),
    );
    for (let i = 0; i < 6; i++) client.send(many);
    await client.settle();
    expect(client.goaway?.code).toBe(11);
  });
});

describe('a table of headers that the client makes smaller', () => {
  const blocks = (client: RawPeer): number[] =>
    client.frames
      .filter(({ type }) => type === FrameType.Headers)
      .map(({ payload }) => payload.readUInt8(0));

  it('is acknowledged at the start of the next header block', async () => {
    const client = await peer()
      .open()
      .send(call(1, SAY, 'x'))
      .settle();
    expect(blocks(client)).not.toContain(0x20);
    await client
      .send(settings([Setting.HeaderTableSize, 100]), call(3, SAY, 'x'), call(5, SAY, 'x'))
      .settle();
    expect(blocks(client).map((octet) => octet === 0x20)).toEqual([
      false,
      false,
      true,
      false,
      false,
      false,
    ]);
    await client.send(settings([Setting.HeaderTableSize, 100]), call(7, SAY, 'x')).settle();
    await client.send(settings([Setting.HeaderTableSize, 200]), call(9, SAY, 'x')).settle();
    expect(blocks(client).filter((octet) => octet === 0x20)).toHaveLength(1);
    await client.send(settings([Setting.HeaderTableSize, 0]), call(11, SAY, 'x')).settle();
    expect(blocks(client).filter((octet) => octet === 0x20)).toHaveLength(2);
  });

  it('is what nghttp2 insists on', async () => {
    const transport = startTransport();
    const server = createServer((socket) => transport.accept(socket));
    const port = await listenOnLoopback(server);
    const session = connect(`http://127.0.0.1:${port}`, { settings: { headerTableSize: 0 } });
    try {
      await new Promise((resolve) => session.once('localSettings', resolve));
      const status = await new Promise((resolve, reject) => {
        session.once('error', reject);
        const stream = session.request({
          ':method': 'POST',
          ':path': SAY,
          'content-type': 'application/grpc',
        });
        stream.once('error', reject);
        stream.once('trailers', (fields) => resolve(fields['grpc-status']));
        stream.resume();
        stream.end(message('x'));
      });
      expect(status).toBe('0');
    } finally {
      session.destroy();
      server.close();
    }
  });
});

describe('a response that is no call', () => {
  it('ends although an empty piece of it met a full socket', async () => {
    let finished = false;
    const transport = startTransport({
      http: (_request, response) => {
        response.write(Buffer.alloc(262_144, 1));
        response.write('');
        response.end('', () => {
          finished = true;
        });
      },
    });
    const accept = transport.accept.bind(transport);
    transport.accept = (socket) => accept(Object.assign(socket, { encrypted: true }));
    const client = new RawPeer(transport).open([Setting.InitialWindowSize, 2 ** 20]);
    client.send(windowUpdate(0, 2 ** 20));
    await client.settle();
    client.isReading = false;
    const get = Buffer.concat([Buffer.of(0x82, 0x87, 0x84)]);
    client.send(headers(1, get, 1));
    await client.settle();
    client.read();
    await client.settle();
    expect(client.answer(1)).toMatchObject({ isEnded: true });
    expect(client.answer(1).body).toHaveLength(262_144);
    expect(finished).toBe(true);
  });
});

describe('the rest of a request that is answered', () => {
  const POST = Buffer.of(0x83, 0x87, 0x84);

  function answering(clock: Clock): RawPeer {
    const transport = startTransport({ clock, http: (_request, response) => response.end('no') });
    const accept = transport.accept.bind(transport);
    transport.accept = (socket) => accept(Object.assign(socket, { encrypted: true }));
    return new RawPeer(transport).open();
  }

  it('may come in, and its stream is not reset', async () => {
    const client = answering(nodeClock);
    await client.send(headers(1, POST)).settle();
    expect(client.answer(1)).toMatchObject({ isEnded: true, resetCode: undefined });
    await client.send(data(1, Buffer.alloc(1000), 0), data(1, Buffer.alloc(10))).settle();
    client.send(data(1, Buffer.alloc(1)), headers(3, POST, 1));
    await client.settle();
    expect(client.answer(1).resetCode).toBeUndefined();
    expect(client.answer(3)).toMatchObject({ isEnded: true, resetCode: undefined });
  });

  it('is cut off after a while', async () => {
    const clock = new ManualClock();
    const client = answering(clock);
    await client.send(headers(1, POST)).settle();
    clock.advance(LATE_BODY_MILLIS - 1);
    await client.settle();
    expect(client.answer(1).resetCode).toBeUndefined();
    clock.advance(1);
    await client.settle();
    expect(client.answer(1).resetCode).toBe(0);
    // With this clock a transport would never give up what is open.
    client.socket.destroy();
    await client.settle();
  });
});

describe('closing', () => {
  it('may be asked for twice', async () => {
    const transport = startTransport();
    const client = new RawPeer(transport).open();
    await client.send(headers(1, callBlock(SAY))).settle();
    const first = transport.close(60_000);
    const second = transport.close(0);
    await Promise.all([first, second]);
    expect(client.socket.destroyed).toBe(true);
  });

  it('waits for a slow client to read the last answer', async () => {
    const clock = new ManualClock();
    const transport = startTransport({ clock });
    const client = await new RawPeer(transport).open().settle();
    client.isReading = false;
    client.send(call(1, SAY, 'last words'));
    const closed = transport.close(60_000);
    await client.settle();
    clock.advance(5000);
    await client.settle();
    expect(client.socket.destroyed).toBe(false);
    client.read();
    await client.settle();
    expect(client.answer(1)).toMatchObject({ body: message('last words'), isEnded: true });
    clock.advance(1000);
    await closed;
  });
});

describe('headers', () => {
  it('of a stream of the server end the connection whenever they come', async () => {
    const client = await peer()
      .open()
      .send(call(5, SAY, 'x'), headers(2, callBlock(SAY)))
      .settle();
    expect(client.goaway?.code).toBe(1);
  });

  it('of a stream that was passed over do not leave their client waiting', async () => {
    const client = await peer()
      .open()
      .send(call(5, SAY, 'x'), call(3, SAY, 'y'))
      .settle();
    expect(client.answer(3).resetCode).toBe(5);
    expect(client.answer(5).body).toEqual(message('x'));
  });

  it('of an answer respect the largest frame', async () => {
    const client = peer().open();
    const type = `application/grpc+${'x'.repeat(20_000)}`;
    const block = callBlock(SAY, { 'content-type': type });
    client.send(
      frame(FrameType.Headers, 0, 1, block.subarray(0, 16_000)),
      frame(FrameType.Continuation, 4, 1, block.subarray(16_000)),
      data(1, message('x')),
      frame(FrameType.Settings, FLAG_ACK, 0),
    );
    await client.settle();
    expect(Math.max(...client.frames.map(({ payload }) => payload.length))).toBeLessThan(16_385);
    expect(client.frames.some(({ type: kind }) => kind === FrameType.Continuation)).toBe(true);
  });
});
