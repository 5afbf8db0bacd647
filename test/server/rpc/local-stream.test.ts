import { describe, expect, it } from 'vitest';
import { LocalStream } from '../../../src/server/rpc/local-stream.js';

const CONTEXT = {
  method: '/test/Stream',
  metadata: { get: () => undefined },
  peer: 'test',
  deadlineMillis: undefined,
};

const open = (signal?: AbortSignal): LocalStream => new LocalStream(CONTEXT, signal);

async function readAll(stream: LocalStream): Promise<number[]> {
  const seen: number[] = [];
  for await (const message of stream) seen.push(message[0] ?? -1);
  return seen;
}

describe('a stream inside the process', () => {
  it('tells its service to pause, and to go on when all was read', async () => {
    const stream = open();
    let sent = 0;
    const fill = (): void => {
      while (sent < 100 && stream.send(Buffer.of(sent++)));
      if (sent === 100) stream.end();
    };
    stream.onDrain(fill);
    fill();
    expect(sent).toBeLessThan(100);
    expect(await readAll(stream)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it('hands on what was sent before it ended with an error', async () => {
    const stream = open();
    let closed = 0;
    stream.onClose(() => closed++);
    stream.send(Buffer.of(1));
    stream.end(new Error('no leader'));
    stream.end(new Error('too late'));
    const iterator = stream[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual(Buffer.of(1));
    await expect(iterator.next()).rejects.toThrow('no leader');
    expect(closed).toBe(1);
    expect(stream.send(Buffer.of(2))).toBe(false);
  });

  it('closes when its reader leaves', async () => {
    const stream = open();
    const messages: Buffer[] = [];
    stream.onMessage((message) => messages.push(message));
    stream.request(Buffer.of(7));
    expect(messages).toEqual([Buffer.of(7)]);
    stream.send(Buffer.of(1));
    for await (const _message of stream) break;
    expect(stream.context.signal.aborted).toBe(true);
    let closed = false;
    stream.onClose(() => {
      closed = true;
    });
    expect(closed).toBe(true);
  });

  it('closes when the call that it serves is given up, also while its reader waits', async () => {
    const outer = new AbortController();
    const stream = open(outer.signal);
    const reading = readAll(stream);
    outer.abort();
    expect(await reading).toEqual([]);
    expect(stream.context.signal.aborted).toBe(true);
  });
});
