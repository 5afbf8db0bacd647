import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/proto/decode-error.js';
import { type Message, MessageType, newMessage } from '../../../src/raft/types.js';
import { ByteQueue } from '../../../src/server/peer/byte-queue.js';
import { FrameBatch } from '../../../src/server/peer/frame-batch.js';
import { FrameError } from '../../../src/server/peer/frame-error.js';
import { MessageStreamDecoder } from '../../../src/server/peer/message-stream-codec.js';
import { MsgAppStreamDecoder } from '../../../src/server/peer/msgapp-stream-codec.js';
import {
  createDecoder,
  createEncoder,
  STREAM_KINDS,
  type StreamDecoder,
  type StreamKind,
} from '../../../src/server/peer/stream-codec.js';
import { appendSequences, messages } from './arbitrary-messages.js';

const HEARTBEAT = newMessage(MessageType.Heartbeat, 0n);

function encodeAll(kind: StreamKind, sent: readonly (Message | 'heartbeat')[]): Buffer {
  const encoder = createEncoder(kind);
  const batch = new FrameBatch();
  for (const message of sent) {
    if (message === 'heartbeat') encoder.encodeLinkHeartbeat(batch);
    else encoder.encode(message, batch);
  }
  return Buffer.concat(batch.take());
}

function decodeAll(decoder: StreamDecoder, chunks: readonly Buffer[]): Message[] {
  const queue = new ByteQueue();
  const received: Message[] = [];
  for (const chunk of chunks) {
    queue.push(chunk);
    for (;;) {
      const message = decoder.decode(queue);
      if (message === undefined) break;
      received.push(message);
    }
  }
  return received;
}

/** Cuts bytes at the given places, taken modulo the length. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  let start = 0;
  return [...ends, bytes.length].map((end) => {
    const piece = bytes.subarray(start, end);
    start = end;
    return piece;
  });
}

const cuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 30 });

/** Runs a decoder over bytes that are not right: it may only wait, deliver, or complain. */
function survives(kind: StreamKind, bytes: Buffer): void {
  try {
    decodeAll(createDecoder(kind, 2n, 1n), [bytes]);
  } catch (error) {
    if (!(error instanceof DecodeError) && !(error instanceof FrameError)) throw error;
  }
}

describe('stream frames', () => {
  it('of the message stream come back however they are cut', () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 6 }), cuts, (sent, places) => {
        const bytes = encodeAll('message', sent);
        expect(decodeAll(new MessageStreamDecoder(), cut(bytes, places))).toEqual(sent);
      }),
    );
  });

  it('of the msgapp stream come back however they are cut', () => {
    fc.assert(
      fc.property(appendSequences, cuts, (sent, places) => {
        const bytes = encodeAll('msgapp', sent);
        expect(decodeAll(new MsgAppStreamDecoder(2n, 1n), cut(bytes, places))).toEqual(sent);
      }),
    );
  });

  it('carry link heartbeats between the messages', () => {
    for (const kind of STREAM_KINDS) {
      const append = { ...newMessage(MessageType.App, 2n), from: 1n, term: 1 };
      const bytes = encodeAll(kind, ['heartbeat', append, 'heartbeat']);
      expect(decodeAll(createDecoder(kind, 2n, 1n), [bytes])).toEqual([
        HEARTBEAT,
        append,
        HEARTBEAT,
      ]);
    }
  });

  it('are etcd’s to the byte', () => {
    const encoder = createEncoder('msgapp');
    const batch = new FrameBatch();
    const data = Buffer.from('ab');
    const first = { type: 0 as const, term: 3, index: 8, data };
    const second = { type: 0 as const, term: 3, index: 9, data };
    const append = { ...newMessage(MessageType.App, 2n), from: 1n, term: 3 };
    encoder.encodeLinkHeartbeat(batch);
    encoder.encode({ ...append, logTerm: 2, index: 7, entries: [first], commit: 6 }, batch);
    encoder.encode({ ...append, logTerm: 3, index: 8, entries: [second], commit: 8 }, batch);
    const entry = (index: string) => `1003${`18${index}`}22026162`;
    expect(Buffer.concat(batch.take()).toString('hex')).toBe(
      [
        '00',
        `020000000000000018${'0803100218012003280230073a08'}${entry('08')}4006`,
        `010000000000000001${'0000000000000008'}${entry('09')}0000000000000008`,
      ].join(''),
    );
    const general = createEncoder('message');
    general.encodeLinkHeartbeat(batch);
    expect(Buffer.concat(batch.take()).toString('hex')).toBe('00000000000000020808');
  });

  it('wait for the rest at every prefix', () => {
    fc.assert(
      fc.property(appendSequences, (sent) => {
        const bytes = encodeAll('msgapp', sent);
        for (let end = 0; end < bytes.length; end++) {
          const received = decodeAll(new MsgAppStreamDecoder(2n, 1n), [bytes.subarray(0, end)]);
          expect(received).toEqual(sent.slice(0, received.length));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('do no harm with a flipped bit', () => {
    fc.assert(
      fc.property(fc.constantFrom(...STREAM_KINDS), appendSequences, (kind, sent) => {
        const bytes = encodeAll(kind, sent);
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = Buffer.from(bytes);
          flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          survives(kind, flipped);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('beyond the limit are refused before they have come', () => {
    const length = Buffer.from('0000000020000001', 'hex');
    expect(() => decodeAll(new MessageStreamDecoder(), [length])).toThrow(
      new FrameError('rafthttp: error limit exceeded'),
    );
    for (const head of ['02', '010000000000000001']) {
      expect(() =>
        decodeAll(new MsgAppStreamDecoder(2n, 1n), [Buffer.from(head, 'hex'), length]),
      ).toThrow(new FrameError('rafthttp: error limit exceeded'));
    }
  });

  it('of an unknown type, or of entries out of their order, are refused', () => {
    expect(() => decodeAll(new MsgAppStreamDecoder(2n, 1n), [Buffer.from([7])])).toThrow(
      new FrameError('failed to parse type 7 in msgappv2 stream'),
    );
    const jump = Buffer.from(
      `010000000000000001${'0000000000000004'}10001805${'0'.repeat(16)}`,
      'hex',
    );
    expect(() => decodeAll(new MsgAppStreamDecoder(2n, 1n), [jump])).toThrow(
      new FrameError('entry 5 came where 1 was due'),
    );
  });

  it('of many sizes share memory without touching each other', () => {
    const batch = new FrameBatch();
    const sizes = [1, 40_000, 40_000, 200_000, 7, 0, 64 * 1024];
    const parts: Buffer[] = [];
    for (const [position, size] of sizes.entries()) {
      const offset = batch.claim(size);
      batch.buffer.fill(position, offset, offset + size);
      if (position % 2 === 0) parts.push(...batch.take());
    }
    const all = Buffer.concat(parts);
    expect(all.equals(Buffer.concat(sizes.map((size, at) => Buffer.alloc(size, at))))).toBe(true);
    expect(batch.bytes).toBe(0);
  });
});
