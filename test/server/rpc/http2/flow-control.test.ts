import { describe, expect, it } from 'vitest';
import { FrameType, Setting } from '../../../../src/base/http2/frames.js';
import type { ServerStream } from '../../../../src/server/rpc/transport.js';
import {
  call,
  callBlock,
  data,
  frame,
  headers,
  message,
  type RawPeer,
  settings,
  windowUpdate,
} from '../../../support/raw-http2.js';
import { CHAT, peer, SAY, SAY_METHOD } from './support.js';

const WINDOW = Setting.InitialWindowSize;

/** The client of a server that does as it likes with the messages of {@link CHAT}. */
function streaming(handle: (stream: ServerStream) => void = () => {}): RawPeer {
  return peer({ methods: [SAY_METHOD, { path: CHAT, kind: 'bidiStream', handle }] });
}

const dataFrames = (client: RawPeer): number =>
  client.frames.filter(({ type }) => type === FrameType.Data).length;

describe('the windows of the client', () => {
  it('of one octet let one octet through', async () => {
    const client = peer()
      .open([WINDOW, 1])
      .send(call(1, SAY, 'slow'));
    const whole = message('slow');
    for (let octets = 1; octets <= whole.length; octets++) {
      await client.settle();
      expect(client.answer(1)).toMatchObject({
        body: whole.subarray(0, octets),
        isEnded: octets === whole.length,
      });
      client.send(windowUpdate(1, 1));
    }
    expect(client.answer(1).fields['grpc-status']).toBe('0');
    expect(dataFrames(client)).toBe(whole.length);
  });

  it('are those of the connection, too', async () => {
    const client = peer().open([WINDOW, 2 ** 31 - 1]);
    const large = Buffer.alloc(60_000, 1);
    client.send(...chunked(1, large), ...chunked(3, large));
    await client.settle();
    const arrived = (): number => client.answer(1).body.length + client.answer(3).body.length;
    expect(arrived()).toBe(65_535);
    await client.send(windowUpdate(0, 100)).settle();
    expect(arrived()).toBe(65_635);
    await client.send(windowUpdate(0, 2 ** 30)).settle();
    for (const id of [1, 3]) expect(client.answer(id).body.equals(message(large))).toBe(true);
  });

  it('change with the settings, below zero as well', async () => {
    const client = peer()
      .open([WINDOW, 100])
      .send(...chunked(1, Buffer.alloc(1000)));
    await client.settle();
    expect(client.answer(1).body).toHaveLength(100);
    await client.send(settings([WINDOW, 40]), windowUpdate(1, 60)).settle();
    expect(client.answer(1).body).toHaveLength(100);
    await client.send(windowUpdate(1, 1)).settle();
    expect(client.answer(1).body).toHaveLength(101);
    await client.send(settings([WINDOW, 65_535])).settle();
    expect(client.answer(1)).toMatchObject({ body: message(Buffer.alloc(1000)), isEnded: true });
  });

  it('may be measured by pings while a response arrives', async () => {
    const client = peer()
      .open([WINDOW, 10])
      .send(call(1, SAY, 'x'.repeat(100)));
    for (let round = 0; round < 10; round++) {
      client.send(windowUpdate(1, 10), frame(FrameType.Ping, 0, 0, Buffer.alloc(8)));
      await client.settle();
    }
    expect(client.goaway).toBeUndefined();
    expect(client.answer(1).isEnded).toBe(true);
  });

  it('closed on one stream do not stop the others', async () => {
    const client = peer()
      .open([WINDOW, 10])
      .send(call(1, SAY, 'x'.repeat(100)), call(3, SAY, 'ok'));
    await client.settle();
    expect(client.answer(1).isEnded).toBe(false);
    expect(client.answer(3)).toMatchObject({ body: message('ok'), isEnded: true });
  });

  it('hold a stream back, which is told when to go on', async () => {
    let open: ServerStream | undefined;
    let drains = 0;
    const client = streaming((stream) => {
      open = stream;
      stream.onDrain(() => drains++);
    }).open([WINDOW, 0]);
    await client.send(windowUpdate(0, 1_000_000), headers(1, callBlock(CHAT))).settle();
    const part = Buffer.alloc(32 * 1024 - 5);
    expect([1, 2, 3, 4].map(() => open?.send(part))).toEqual([true, true, true, false]);
    await client.send(windowUpdate(1, 64 * 1024 - 1)).settle();
    expect(drains).toBe(0);
    await client.send(windowUpdate(1, 1)).settle();
    expect(drains).toBe(1);
    await client.send(windowUpdate(1, 1_000_000)).settle();
    expect(client.answer(1).body).toHaveLength(128 * 1024);
    expect(drains).toBe(1);
    open?.end();
    await client.settle();
    expect(client.answer(1).isEnded).toBe(true);
  });

  it('are forgotten with a stream that is reset', async () => {
    const closed: boolean[] = [];
    const client = streaming((stream) => {
      stream.onMessage((received) => void stream.send(received));
      stream.onClose(() => closed.push(stream.context.signal.aborted));
    }).open([WINDOW, 0]);
    client.send(headers(1, callBlock(CHAT)), data(1, message('stuck'), 0));
    await client.settle();
    client.send(Buffer.from('000004030000000001' + '00000008', 'hex'), windowUpdate(1, 100));
    await client.settle();
    expect(closed).toEqual([true]);
    expect(client.answer(1).body).toHaveLength(0);
    expect(client.goaway).toBeUndefined();
  });
});

describe('a client that does not read', () => {
  it('is sent no more than fits, and the rest when it reads again', async () => {
    let open: ServerStream | undefined;
    const client = streaming((stream) => (open = stream)).open([WINDOW, 2 ** 31 - 1]);
    client.send(windowUpdate(0, 2 ** 30), headers(1, callBlock(CHAT)));
    await client.settle();
    client.isReading = false;
    const part = Buffer.alloc(64 * 1024);
    let sent = 0;
    let drains = 0;
    const pump = (): void => {
      do sent++;
      while (open?.send(part));
    };
    open?.onDrain(() => {
      drains++;
      if (client.isReading) open?.end();
      else pump();
    });
    pump();
    await client.settle();
    expect(sent * part.length).toBeLessThan(1024 * 1024);
    const before = drains;
    client.read();
    await client.settle();
    expect(drains).toBe(before + 1);
    expect(client.answer(1)).toMatchObject({ isEnded: true });
    expect(client.answer(1).body).toHaveLength(sent * (part.length + 5));
  });

  it('is not read from, and answered all the same in the end', async () => {
    const client = peer().open();
    await client.settle();
    client.isReading = false;
    // Answers that no window holds back.
    let id = 1;
    for (; id < 60_000; id += 2) client.send(headers(id, callBlock('/no.Such/Method'), 1));
    await client.settle();
    const { writableLength, readableLength } = client.socket;
    expect(readableLength).toBeGreaterThan(500_000);
    expect(writableLength).toBeLessThan(2_000_000);
    while (client.socket.readableLength > 0 || client.socket.writableLength > 0) {
      client.read();
      await client.settle();
    }
    expect(client.answer(id - 2).fields['grpc-status']).toBe('12');
  });
});

describe('our windows', () => {
  it('are opened again while a long request arrives', async () => {
    const client = streaming((stream) => stream.onMessage(() => undefined)).open();
    await client.send(headers(1, callBlock(CHAT))).settle();
    const before = client.frames.length;
    const part = message(Buffer.alloc(16_379));
    for (let sent = 0; sent < 20_000_000; sent += part.length) client.send(data(1, part, 0));
    await client.settle();
    const updates = client.frames.slice(before);
    expect(updates.length).toBeGreaterThan(2);
    expect(updates.every(({ type }) => type === FrameType.WindowUpdate)).toBe(true);
    expect(client.goaway).toBeUndefined();
  });

  it('stay closed while nobody takes the messages', async () => {
    let open: ServerStream | undefined;
    const client = streaming((stream) => (open = stream)).open();
    await client.send(headers(1, callBlock(CHAT))).settle();
    const part = message(Buffer.alloc(16_379));
    const updates = (): number =>
      client.frames.filter(({ type, streamId }) => type === 8 && streamId === 1).length;
    for (let sent = 0; sent < 6_000_000; sent += part.length) client.send(data(1, part, 0));
    await client.settle();
    expect(updates()).toBe(0);
    let taken = 0;
    open?.onMessage(() => taken++);
    await client.settle();
    expect(taken).toBe(Math.ceil(6_000_000 / part.length));
    expect(updates()).toBe(1);
    for (let sent = 0; sent < 8_300_000; sent += part.length) client.send(data(1, part, 0));
    await client.settle();
    expect(client.answer(1).resetCode).toBeUndefined();
  });

  it('must be respected', async () => {
    const client = streaming().open();
    await client.send(headers(1, callBlock(CHAT))).settle();
    for (let sent = 0; sent <= 8 * 1024 * 1024; sent += 16_384) {
      client.send(data(1, message(Buffer.alloc(16_379)), 0));
    }
    await client.settle();
    expect(client.answer(1).resetCode).toBe(3);
  });
});

/** A unary request of any size. */
function chunked(id: number, content: Buffer): Buffer[] {
  const bytes = message(content);
  const frames = [headers(id, callBlock(SAY))];
  for (let at = 0; at < bytes.length; at += 16_384) {
    const end = Math.min(at + 16_384, bytes.length);
    frames.push(data(id, bytes.subarray(at, end), end === bytes.length ? 1 : 0));
  }
  return frames;
}
