import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLIENT_PREFACE, FLAG_ACK, FrameType, Setting } from '../../../../src/base/http2/frames.js';
import { encodeHeader } from '../../../../src/base/http2/hpack.js';
import {
  call,
  callBlock,
  data,
  frame,
  headers,
  message,
  RawPeer,
  settings,
  windowUpdate,
} from '../../../support/raw-http2.js';
import { CHAT, peer, reset, SAY, startTransport } from './support.js';

const PROTOCOL = 1;
const FLOW = 3;
const SIZE = 6;
const COMPRESSION = 9;
const CALM = 11;
const OPEN = headers(1, callBlock(CHAT));
const repeat = (count: number, bytes: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => bytes));

describe('a connection ends with', () => {
  it.each<[string, number, Buffer]>([
    ['a frame too large', SIZE, frame(FrameType.Data, 0, 1, Buffer.alloc(16_385))],
    ['headers of no stream', PROTOCOL, headers(0, callBlock(SAY))],
    ['a stream id of the server', PROTOCOL, headers(2, callBlock(SAY))],
    ['data of no stream', PROTOCOL, data(0, message(''))],
    ['data of a stream that was never opened', PROTOCOL, data(5, message(''))],
    ['a reset of a stream that was never opened', PROTOCOL, reset(5)],
    ['a reset of no stream', PROTOCOL, reset(0)],
    ['a reset too short', SIZE, Buffer.concat([OPEN, frame(FrameType.RstStream, 0, 1)])],
    ['a window update of nothing', PROTOCOL, windowUpdate(0, 0)],
    ['a window too large', FLOW, windowUpdate(0, 2 ** 31 - 1)],
    ['a window update too short', SIZE, frame(FrameType.WindowUpdate, 0, 0, Buffer.alloc(3))],
    ['an initial window too large', FLOW, settings([Setting.InitialWindowSize, 2 ** 31])],
    [
      'an initial window that makes one too large',
      FLOW,
      Buffer.concat([OPEN, windowUpdate(1, 2 ** 30), settings([4, 2 ** 31 - 1])]),
    ],
    ['a maximal frame too small', PROTOCOL, settings([Setting.MaxFrameSize, 16_383])],
    ['push that is neither on nor off', PROTOCOL, settings([Setting.EnablePush, 2])],
    ['settings of a stream', PROTOCOL, frame(FrameType.Settings, 0, 1)],
    ['half a setting', SIZE, frame(FrameType.Settings, 0, 0, Buffer.alloc(5))],
    ['an acknowledgement with settings', SIZE, frame(FrameType.Settings, 1, 0, Buffer.alloc(6))],
    ['a ping of a stream', PROTOCOL, frame(FrameType.Ping, 0, 1, Buffer.alloc(8))],
    ['a ping too short', SIZE, frame(FrameType.Ping, 0, 0, Buffer.alloc(7))],
    ['a push', PROTOCOL, frame(FrameType.PushPromise, 0, 1, Buffer.alloc(4))],
    ['padding beyond the frame', PROTOCOL, Buffer.concat([OPEN, data(1, Buffer.of(9), 8)])],
    ['padding of headers beyond the frame', PROTOCOL, headers(1, Buffer.of(9), 8)],
    ['a continuation of nothing', PROTOCOL, frame(FrameType.Continuation, 4, 1)],
    [
      'another frame within a header block',
      PROTOCOL,
      Buffer.concat([frame(FrameType.Headers, 0, 1), settings()]),
    ],
    ['an index beyond the table', COMPRESSION, headers(1, Buffer.of(0xff, 0x80, 0x01))],
    ['a truncated header block', COMPRESSION, headers(1, Buffer.of(0x40, 0x05, 0x61))],
    ['an endless integer', COMPRESSION, headers(1, Buffer.alloc(12, 0xff))],
    ['a table larger than offered', COMPRESSION, headers(1, Buffer.of(0x3f, 0xe2, 0x1f))],
    ['wrong Huffman padding', COMPRESSION, headers(1, Buffer.of(0x00, 0x81, 0x00, 0x00))],
  ])('%s', async (_what, code, bytes) => {
    const client = await peer().open().send(bytes).settle();
    expect(client.goaway?.code).toBe(code);
    expect(client.socket.writableEnded).toBe(true);
  });

  it.each([
    ['another preface', Buffer.from('PRI * HTTP/2.0\r\n\r\nXX')],
    ['a first frame that is not settings', Buffer.concat([CLIENT_PREFACE, windowUpdate(0, 1)])],
    [
      'a first frame that acknowledges',
      Buffer.concat([CLIENT_PREFACE, frame(FrameType.Settings, FLAG_ACK, 0)]),
    ],
  ])('%s', async (_what, bytes) => {
    const client = await peer().send(bytes).settle();
    expect(client.goaway?.code).toBe(PROTOCOL);
  });

  it.each<[string, Buffer[]]>([
    ['settings', [repeat(10_001, settings())]],
    ['priorities', [repeat(10_001, frame(FrameType.Priority, 0, 1, Buffer.alloc(5)))]],
    ['data frames with nothing in them', [OPEN, repeat(10_001, data(1, Buffer.alloc(0), 0))]],
    ['unknown frames', [repeat(10_001, frame(0x77, 0, 0))]],
    [
      'streams that are taken back',
      Array.from({ length: 20_001 }, (_, i) =>
        Buffer.concat([headers(2 * i + 1, callBlock(CHAT)), reset(2 * i + 1)]),
      ),
    ],
    [
      'continuations',
      [frame(FrameType.Headers, 0, 1), repeat(65, frame(FrameType.Continuation, 0, 1))],
    ],
    [
      'continued headers',
      [
        frame(FrameType.Headers, 0, 1),
        repeat(5, frame(FrameType.Continuation, 0, 1, Buffer.alloc(16_384))),
      ],
    ],
    [
      'headers that grow when decoded',
      [
        headers(
          1,
          Buffer.concat([
            Buffer.of(0x40),
            encodeHeader('x', 'y'.repeat(3000)).subarray(1),
            Buffer.alloc(30, 0xbe),
          ]),
        ),
      ],
    ],
    ['pings', [repeat(4, frame(FrameType.Ping, 0, 0, Buffer.alloc(8)))]],
  ])('too many %s', async (_what, parts) => {
    const client = peer().open();
    for (const part of parts) client.send(part);
    await client.settle();
    expect(client.goaway?.code).toBe(CALM);
  });
});

describe('a stream ends with', () => {
  it.each<[string, number, Buffer]>([
    ['a window update of nothing', 1, windowUpdate(1, 0)],
    ['a window too large', 3, windowUpdate(1, 2 ** 31 - 1)],
    ['trailers that do not end it', 1, headers(1, encodeHeader('a', 'b'))],
  ])('%s', async (_what, code, bytes) => {
    const client = await peer()
      .open()
      .send(OPEN, bytes, call(3, SAY, 'next'))
      .settle();
    expect(client.answer(1).resetCode).toBe(code);
    expect(client.answer(3).body).toEqual(message('next'));
  });

  it('data after its end', async () => {
    const client = peer({
      methods: [{ path: SAY, kind: 'unary', handle: () => new Promise(() => undefined) }],
    });
    client.open().send(call(1, SAY, 'x'), data(1, message('y')));
    await client.settle();
    expect(client.answer(1).resetCode).toBe(5);
  });
});

describe('whatever a client sends', () => {
  const streamId = fc.constantFrom(0, 1, 1, 3, 3, 5, 2, 2 ** 31 - 1);
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: 0, max: 255 }),
      streamId,
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload));
  const goodFrame = fc.oneof(
    streamId.map((id) => headers(id, callBlock(SAY))),
    streamId.map((id) => headers(id, callBlock(CHAT))),
    fc
      .tuple(streamId, fc.uint8Array({ maxLength: 50 }), fc.boolean())
      .map(([id, bytes, end]) => data(id, message(bytes), end ? 1 : 0)),
    fc.tuple(streamId, fc.integer({ min: 0, max: 1000 })).map(([id, n]) => windowUpdate(id, n)),
    fc.integer({ min: 0, max: 100_000 }).map((n) => settings([Setting.InitialWindowSize, n])),
    streamId.map(reset),
  );
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 3 });

  it('leads to whole frames, and to an end of the connection at worst', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ arbitrary: goodFrame, weight: 4 }, anyFrame), { maxLength: 12 }),
        flips,
        fc.integer({ min: 1, max: 200 }),
        fc.boolean(),
        async (frames, changes, chunkBytes, leaves) => {
          const transport = startTransport();
          const client = new RawPeer(transport).open();
          const bytes = Buffer.concat(frames);
          for (const [place, change] of changes) {
            if (bytes.length === 0) continue;
            const at = place % bytes.length;
            bytes[at] = bytes.readUInt8(at) ^ change;
          }
          for (let at = 0; at < bytes.length; at += chunkBytes) {
            client.send(bytes.subarray(at, at + chunkBytes));
          }
          if (leaves) client.socket.push(null);
          await client.settle();
          // Throws if half a frame was written.
          expect(client.frames.length).toBeGreaterThan(0);
          expect(client.goaway?.code).not.toBe(2);
          if (leaves) expect(client.socket.destroyed).toBe(true);
          await transport.close(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
