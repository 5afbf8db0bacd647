import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CLIENT_PREFACE,
  DEFAULT_MAX_FRAME_BYTES,
  FLAG_END_STREAM,
  FrameType,
  Setting,
} from '../../../../src/base/http2/frames.js';
import { seededRandom } from '../../../../src/platform/seeded-random.js';
import {
  callBlock,
  data,
  frame,
  message,
  type RawPeer,
  settings,
  windowUpdate,
} from '../../../support/raw-http2.js';
import { CHAT, peer, SAY } from './support.js';

/** Around what is copied, referred to, and cut. */
const LENGTHS = [0, 1, 7, 2000, 4086, 4095, 4096, 4097, 8191, 16_379, 16_380, 40_000, 150_000];
const LONGEST_CHUNKS = [40, 400, 4000, 65_536];
const STREAMS = 60;
const WINDOW_BYTES = 2 ** 28;
const GARBAGE = 0xa5;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Fills all new memory that comes as it is with one byte. */
function litter(byte: number): void {
  vi.spyOn(Buffer, 'allocUnsafe').mockImplementation((size) => Buffer.alloc(size, byte));
  vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation((size) => Buffer.alloc(size, byte));
}

interface Conversation {
  readonly streamId: number;
  /** With their prefixes; one for a unary call. */
  readonly messages: readonly Buffer[];
}

function conversations(): Conversation[] {
  const random = seededRandom(11);
  return Array.from({ length: STREAMS }, (_, at) => ({
    streamId: 2 * at + 1,
    messages: Array.from({ length: at % 3 === 0 ? 3 : 1 }, (_, position) => {
      const length = LENGTHS[random.integer(LENGTHS.length)] ?? 0;
      return message(Buffer.alloc(length, `${at}/${position}.`));
    }),
  }));
}

/** All that a client says, frames of several streams mixed. */
function* said(): Generator<Buffer> {
  yield CLIENT_PREFACE;
  yield settings([Setting.InitialWindowSize, WINDOW_BYTES]);
  yield windowUpdate(0, WINDOW_BYTES);
  const random = seededRandom(12);
  const open = conversations().map(({ streamId, messages }) => ({
    streamId,
    block: callBlock(messages.length > 1 ? CHAT : SAY, { 'x-more': 'm'.repeat(streamId * 7) }),
    body: Buffer.concat(messages),
    at: -1,
  }));
  const started: typeof open = [];
  while (open.length + started.length > 0) {
    // Streams must be opened in the order of their ids.
    const next = open.length > 0 && random.integer(4) === 0 ? open.shift() : undefined;
    if (next !== undefined) {
      const half = next.block.length >> 1;
      yield frame(FrameType.Headers, 0, next.streamId, next.block.subarray(0, half));
      yield frame(FrameType.Continuation, 4, next.streamId, next.block.subarray(half));
      started.push({ ...next, at: 0 });
      continue;
    }
    const stream = started[random.integer(Math.max(1, started.length))];
    if (stream === undefined) continue;
    const length = Math.min(stream.body.length - stream.at, DEFAULT_MAX_FRAME_BYTES);
    const end = stream.at + random.integer(length + 1);
    const isLast = end === stream.body.length;
    yield data(stream.streamId, stream.body.subarray(stream.at, end), isLast ? FLAG_END_STREAM : 0);
    stream.at = end;
    if (isLast) started.splice(started.indexOf(stream), 1);
  }
}

/** Sends it all in chunks that know nothing of frames, of memory that then holds something else. */
async function sayAll(client: RawPeer): Promise<void> {
  const random = seededRandom(13);
  const bytes = Buffer.concat([...said()]);
  for (let at = 0; at < bytes.length; ) {
    const length = random.integer(LONGEST_CHUNKS[random.integer(LONGEST_CHUNKS.length)] ?? 1);
    const chunk = Buffer.from(bytes.subarray(at, at + 1 + length));
    at += chunk.length;
    client.socket.push(chunk);
    await nextTurn();
    chunk.fill(GARBAGE);
  }
}

function expectEchoes(client: RawPeer): void {
  expect(client.goaway).toBeUndefined();
  for (const { streamId, messages } of conversations()) {
    const { body, isEnded, fields } = client.answer(streamId);
    expect(fields['grpc-status']).toBe('0');
    expect(isEnded).toBe(true);
    expect(body.equals(Buffer.concat(messages)), `stream ${streamId}`).toBe(true);
  }
}

describe('memory of a connection', () => {
  it('is not that of the chunks that came', async () => {
    const client = peer();
    await sayAll(client);
    await client.settle();
    expectEchoes(client);
  });

  it('is left alone once it was given to a socket that is slow', async () => {
    const client = peer();
    client.isReading = false;
    const talking = sayAll(client);
    for (let turn = 0; turn < 10_000 && client.socket.writableLength < 300_000; turn++) {
      await nextTurn();
    }
    client.read();
    await talking;
    await client.settle();
    expectEchoes(client);
  });

  it('sends nothing of what was in it before', async () => {
    litter(0);
    const clean = peer();
    await sayAll(clean);
    await clean.settle();
    litter(GARBAGE);
    const littered = peer();
    await sayAll(littered);
    await littered.settle();
    expect(clean.frames.length).toBeGreaterThan(3 * STREAMS);
    expect(Buffer.concat(littered.frames.map(({ payload }) => payload))).toSatisfy((sent: Buffer) =>
      sent.equals(Buffer.concat(clean.frames.map(({ payload }) => payload))),
    );
  });
});
