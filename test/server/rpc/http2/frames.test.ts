import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  CLIENT_PREFACE,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  FrameType,
} from '../../../../src/base/http2/frames.js';
import { encodeHeader, encodeInteger } from '../../../../src/base/http2/hpack.js';
import type { CallContext, RpcMethod } from '../../../../src/server/rpc/transport.js';
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
} from '../../../support/raw-http2.js';
import { CHAT, peer, SAY, SAY_METHOD, startTransport } from './support.js';

const LATER = '/test.Echo/Later';

/** A peer of a transport that remembers what its calls came with. */
const observed = (contexts: CallContext[]): RawPeer =>
  peer({ checks: [(context) => void contexts.push(context)] });

const OK = { ':status': '200', 'content-type': 'application/grpc', 'grpc-status': '0' };

describe('frames', () => {
  it('may come octet by octet', async () => {
    const client = peer();
    const bytes = Buffer.concat([
      CLIENT_PREFACE,
      settings(),
      call(1, SAY, 'hello'),
      call(3, SAY, ''),
    ]);
    for (const octet of bytes) client.send(Buffer.of(octet));
    await client.settle();
    expect(client.answer(1)).toMatchObject({ fields: OK, body: message('hello'), isEnded: true });
    expect(client.answer(3)).toMatchObject({ fields: OK, body: message(''), isEnded: true });
    expect(client.answer(1).resetCode).toBeUndefined();
  });

  it('may be cut anywhere', async () => {
    const bytes = Buffer.concat([CLIENT_PREFACE, settings(), call(1, SAY, 'a'), call(3, SAY, 'b')]);
    for (let cut = 1; cut < bytes.length; cut++) {
      const client = peer().send(bytes.subarray(0, cut)).send(bytes.subarray(cut));
      await client.settle();
      expect(client.answer(3).body, `cut at ${cut}`).toEqual(message('b'));
    }
  });

  it('may come all at once, and are answered in one write', async () => {
    const later: RpcMethod = { path: LATER, kind: 'unary', handle: async (request) => request };
    const client = await peer({ methods: [SAY_METHOD, later] })
      .open()
      .settle();
    const writes = client.writes;
    const ids = Array.from({ length: 50 }, (_, i) => 2 * i + 1);
    client.send(...ids.map((id) => call(id, id % 4 === 1 ? SAY : LATER, `${id}`)));
    await client.settle();
    for (const id of ids) expect(client.answer(id).body).toEqual(message(`${id}`));
    // What is known at once leaves with the chunk; what was promised, a moment later.
    expect(client.writes - writes).toBe(2);
  });

  it('may be padded, and carry a priority', async () => {
    const client = peer().open();
    const block = callBlock(SAY);
    client.send(
      frame(
        FrameType.Headers,
        FLAG_END_HEADERS | FLAG_PADDED | FLAG_PRIORITY,
        1,
        Buffer.concat([Buffer.of(7), Buffer.alloc(5), block, Buffer.alloc(7)]),
      ),
      frame(FrameType.Priority, 0, 1, Buffer.alloc(5)),
      frame(
        FrameType.Data,
        FLAG_END_STREAM | FLAG_PADDED,
        1,
        Buffer.concat([Buffer.of(200), message('padded'), Buffer.alloc(200)]),
      ),
    );
    await client.settle();
    expect(client.answer(1).body).toEqual(message('padded'));
  });

  it('may carry a header block in parts', async () => {
    const contexts: CallContext[] = [];
    const client = observed(contexts).open();
    const block = callBlock(SAY, { token: 't'.repeat(300) });
    client.send(frame(FrameType.Headers, 0, 1, block.subarray(0, 1)));
    for (let at = 1; at < block.length - 1; at += 50) {
      const part = block.subarray(at, Math.min(at + 50, block.length - 1));
      client.send(frame(FrameType.Continuation, 0, 1, part));
    }
    client.send(
      frame(FrameType.Continuation, FLAG_END_HEADERS, 1, block.subarray(block.length - 1)),
      data(1, message('parts')),
    );
    await client.settle();
    expect(client.answer(1).body).toEqual(message('parts'));
    expect(contexts[0]?.metadata.get('token')).toBe('t'.repeat(300));
  });

  it('of unknown types are ignored', async () => {
    const client = peer()
      .open()
      .send(frame(0x42, 0xff, 9, Buffer.alloc(3)), call(1, SAY, 'x'));
    await client.settle();
    expect(client.answer(1).body).toEqual(message('x'));
  });

  it('of pings are answered with what they carry', async () => {
    const client = peer()
      .open()
      .send(frame(FrameType.Ping, 0, 0, Buffer.from('12345678')));
    await client.settle();
    const pong = client.frames.find(({ type }) => type === FrameType.Ping);
    expect(pong).toMatchObject({ flags: 1, payload: Buffer.from('12345678') });
  });
});

describe('messages', () => {
  it('may be cut into frames anywhere', async () => {
    const client = peer().open();
    const bytes = message('0123456789');
    let id = 1;
    for (let cut = 0; cut <= bytes.length; cut++, id += 2) {
      client.send(
        headers(id, callBlock(SAY)),
        data(id, bytes.subarray(0, cut), 0),
        data(id, bytes.subarray(cut)),
      );
    }
    await client.settle();
    for (let stream = 1; stream < id; stream += 2) {
      expect(client.answer(stream).body).toEqual(bytes);
    }
  });

  it('may share a frame', async () => {
    const client = peer().open();
    const bytes = Buffer.concat([message('a'), message(''), message('ccc')]);
    client.send(headers(1, callBlock(CHAT)), data(1, bytes.subarray(0, 9), 0));
    client.send(data(1, bytes.subarray(9)));
    await client.settle();
    expect(client.answer(1)).toMatchObject({ fields: OK, body: bytes, isEnded: true });
  });

  it('do not share memory with what came along', async () => {
    const client = peer().open();
    let kept: Buffer | undefined;
    const keeper = peer({
      methods: [{ path: SAY, kind: 'unary', handle: (request) => (kept = request) }],
    });
    const chunk = call(1, SAY, 'keep me');
    keeper.open().socket.push(chunk);
    await client.settle();
    chunk.fill(0);
    expect(kept?.toString()).toBe('keep me');
  });

  it.each([
    ['gzip', 'x'.repeat(1000), '0', ''],
    ['identity', undefined, '13', 'grpc: compressed flag set with identity or empty encoding'],
    ['snappy', undefined, '12', 'grpc: Decompressor is not installed for grpc-encoding "snappy"'],
    ['gzip', undefined, '13', 'grpc: failed to decompress the received message'],
  ])('compressed with %s (%#)', async (encoding, text, status, details) => {
    const content = text === undefined ? Buffer.from('nonsense') : gzipSync(text);
    const compressed = Buffer.concat([Buffer.of(1), uint32(content.length), content]);
    const client = peer().open();
    client.send(headers(1, callBlock(SAY, { 'grpc-encoding': encoding })), data(1, compressed));
    await client.settle();
    const { fields, body } = client.answer(1);
    expect(fields['grpc-status']).toBe(status);
    expect(fields['grpc-message'] ?? '').toContain(details);
    if (text !== undefined) expect(body).toEqual(message(text));
  });

  it('that decompress to too much are refused', async () => {
    const content = gzipSync(Buffer.alloc(3_000_000));
    const bomb = Buffer.concat([Buffer.of(1), uint32(content.length), content]);
    const client = peer().open();
    client.send(headers(1, callBlock(SAY, { 'grpc-encoding': 'gzip' })), data(1, bomb));
    await client.settle();
    expect(client.answer(1).fields).toMatchObject({
      'grpc-status': '8',
      'grpc-message': 'grpc: received message after decompression larger than max 2097152',
    });
  });

  it.each([
    ['none', Buffer.alloc(0), '13', 'cardinality violation'],
    ['half of one', message('half').subarray(0, 7), '13', 'unexpected EOF'],
    ['a strange flag', Buffer.of(7, 0, 0, 0, 0), '13', 'received unexpected payload format 7'],
  ])('that cannot be: %s', async (_what, content, status, details) => {
    const client = peer()
      .open()
      .send(headers(1, callBlock(SAY)), data(1, content));
    await client.settle();
    const { fields, isEnded } = client.answer(1);
    expect(fields['grpc-status']).toBe(status);
    expect(fields['grpc-message']).toContain(details);
    expect(isEnded).toBe(true);
  });
});

describe('request headers', () => {
  it('mean the same when they are sent again, until the table changes', async () => {
    const contexts: CallContext[] = [];
    const client = observed(contexts).open();
    const indexed = (name: string, value: string): Buffer =>
      Buffer.concat([Buffer.of(0x40), encodeHeader(name, value).subarray(1)]);
    const base = callBlock(SAY);
    // Index 62 is the newest entry of the table.
    const again = Buffer.concat([base, encodeInteger(62, 7, 0x80)]);
    client.send(
      headers(1, Buffer.concat([base, indexed('token', 'one')])),
      data(1, message('')),
      ...[3, 5].flatMap((id) => [headers(id, again), data(id, message(''))]),
      headers(7, Buffer.concat([base, indexed('token', 'two')])),
      data(7, message('')),
      ...[9, 11].flatMap((id) => [headers(id, again), data(id, message(''))]),
    );
    await client.settle();
    expect(contexts.map(({ metadata }) => metadata.get('token'))).toEqual([
      'one',
      'one',
      'one',
      'two',
      'two',
      'two',
    ]);
  });

  it.each([
    ['no path', callBlock(''), '200', '12', 'malformed method name: ""'],
    ['a path of nothing', callBlock('Say'), '200', '12', 'malformed method name: "Say"'],
    [
      'another type',
      callBlock(SAY, { 'content-type': 'text/x' }),
      '415',
      '3',
      'content-type "text/x"',
    ],
    ['GET', Buffer.concat([Buffer.of(0x82), callBlock(SAY).subarray(1)]), '405', '13', '"GET"'],
    [
      'a bad timeout',
      callBlock(SAY, { 'grpc-timeout': '1x' }),
      '400',
      '13',
      'malformed grpc-timeout',
    ],
    [
      'a timeout with a sign',
      callBlock(SAY, { 'grpc-timeout': '+1S' }),
      '400',
      '13',
      'strconv.ParseUint: parsing "+1": invalid syntax',
    ],
    [
      'no time left',
      callBlock(SAY, { 'grpc-timeout': '0n' }),
      '200',
      '4',
      'context deadline exceeded',
    ],
  ])('are refused: %s', async (_what, block, httpStatus, status, details) => {
    const client = peer().open().send(headers(1, block));
    await client.settle();
    const { fields, isEnded, resetCode } = client.answer(1);
    expect(fields[':status']).toBe(httpStatus);
    expect(fields['grpc-status']).toBe(status);
    expect(fields['grpc-message']).toContain(details);
    expect({ isEnded, resetCode }).toEqual({ isEnded: true, resetCode: 0 });
  });

  it.each([
    ['upper case', encodeHeader('Token', 'x')],
    ['a late pseudo header', encodeHeader(':authority', 'x')],
    ['an unknown pseudo header', encodeHeader(':status', '200')],
    ['connection', encodeHeader('connection', 'close')],
    ['a line break in a value', encodeHeader('token', 'a\r\nb')],
    ['a zero in a value', encodeHeader('token', 'a\0b')],
    ['a space in a name', encodeHeader('to ken', 'x')],
    ['a colon in a name', encodeHeader('to:ken', 'x')],
  ])('reset their stream when malformed: %s', async (_what, field) => {
    const client = peer().open();
    client.send(headers(1, Buffer.concat([callBlock(SAY), field])), call(3, SAY, 'next'));
    await client.settle();
    expect(client.answer(1).resetCode).toBe(1);
    expect(client.answer(3).body).toEqual(message('next'));
  });

  it('keep the subtype of the content type', async () => {
    const client = peer().open();
    client.send(
      headers(1, callBlock(SAY, { 'content-type': 'application/grpc+proto' })),
      data(1, message('x')),
    );
    await client.settle();
    expect(client.answer(1).fields['content-type']).toBe('application/grpc+proto');
  });
});

describe('streams', () => {
  it('beyond the limit are refused', async () => {
    const client = peer({ maxConcurrentStreams: 2 }).open();
    for (const id of [1, 3, 5]) client.send(headers(id, callBlock(CHAT)));
    await client.settle();
    expect(client.answer(5).resetCode).toBe(7);
    client.send(data(1, message('x')), call(7, SAY, 'room'));
    await client.settle();
    expect(client.answer(7).body).toEqual(message('room'));
  });

  it('are told to stop sending when they are answered early', async () => {
    const client = peer()
      .open()
      .send(headers(1, callBlock(SAY)), data(1, message('x'), 0));
    await client.settle();
    expect(client.answer(1)).toMatchObject({ fields: OK, isEnded: true, resetCode: 0 });
    // What was under way by then is no fault.
    client.send(data(1, message('late')), call(3, SAY, 'next'));
    await client.settle();
    expect(client.answer(3).body).toEqual(message('next'));
    expect(client.goaway).toBeUndefined();
  });

  it('open when we leave may end, later ones are refused', async () => {
    const transport = startTransport();
    const client = await new RawPeer(transport)
      .open()
      .send(headers(1, callBlock(CHAT)))
      .settle();
    const closed = transport.close(60_000);
    await client.settle();
    expect(client.goaway).toMatchObject({ code: 0 });
    client.send(headers(3, callBlock(CHAT)), data(1, message('last')));
    await client.settle();
    expect(client.answer(3).resetCode).toBe(7);
    expect(client.answer(1)).toMatchObject({ body: message('last'), isEnded: true });
    client.socket.push(null);
    await closed;
  });
});
