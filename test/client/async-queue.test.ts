import { describe, expect, it } from 'vitest';
import { AsyncQueue } from '../../src/client/async-queue.js';

describe('AsyncQueue', () => {
  it('keeps order between items that wait and a reader that waits', async () => {
    const queue = new AsyncQueue<number>(10);
    queue.push(1);
    queue.push(2);
    expect((await queue.next()).value).toBe(1);
    expect((await queue.next()).value).toBe(2);
    const waiting = queue.next();
    queue.push(3);
    expect((await waiting).value).toBe(3);
  });

  it('delivers what came before the error, then the error once, then the end', async () => {
    const queue = new AsyncQueue<number>(10);
    queue.push(1);
    queue.end(new Error('broken'));
    queue.push(2);
    expect((await queue.next()).value).toBe(1);
    await expect(queue.next()).rejects.toThrow('broken');
    expect((await queue.next()).done).toBe(true);
  });

  it('tells when it is full and when it is empty again', async () => {
    const events: string[] = [];
    const queue = new AsyncQueue<number>(2, {
      onFull: () => events.push('full'),
      onDrained: () => events.push('drained'),
    });
    queue.push(1);
    queue.push(2);
    queue.push(3);
    expect(events).toEqual(['full']);
    await queue.next();
    await queue.next();
    expect(events).toEqual(['full']);
    await queue.next();
    expect(events).toEqual(['full', 'drained']);
  });

  it('releases its producer when the reader leaves while it is full', async () => {
    const events: string[] = [];
    const queue = new AsyncQueue<number>(1, {
      onFull: () => events.push('full'),
      onDrained: () => events.push('drained'),
      onAbandoned: () => events.push('abandoned'),
    });
    queue.push(1);
    await queue.return();
    expect(events).toEqual(['full', 'drained', 'abandoned']);
    expect((await queue.next()).done).toBe(true);
  });
});
