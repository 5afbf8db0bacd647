import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';
import { describeBackend } from './suite.js';

describeBackend('MemoryBackend', async () => {
  const disk = new MemoryDisk();
  return {
    open: async (options) => new MemoryBackend({ ...options, disk }),
    destroy: async () => {},
  };
});

describe('MemoryBackend as a simulated disk', () => {
  it('keeps only what was committed over a crash', async () => {
    const clock = new ManualClock();
    const before = new MemoryBackend({ clock });
    before.put('key', Buffer.from('a'), Buffer.from('1'));
    clock.advance(100);
    before.put('key', Buffer.from('b'), Buffer.from('2'));
    before.delete('key', Buffer.from('a'));
    const disk = before.crash();
    clock.advance(1000);
    const after = new MemoryBackend({ clock, disk });
    expect([...after.range('key', Buffer.alloc(0))].map(([key]) => key.toString())).toEqual(['a']);
    expect(() => before.put('key', Buffer.from('c'), Buffer.from('3'))).toThrow(/closed/);
    await after.close();
  });

  it('loads and clones many rows without copying them all', async () => {
    const backend = new MemoryBackend();
    const value = Buffer.alloc(20);
    const key = Buffer.alloc(17);
    for (let n = 0; n < 50_000; n++) {
      key.writeUInt32BE(n, 4);
      backend.put('key', key, value);
    }
    const snapshot = await backend.snapshot();
    for (let n = 0; n < 50_000; n += 2) {
      key.writeUInt32BE(n, 4);
      backend.delete('key', key);
    }
    expect([...snapshot.range('key', Buffer.alloc(0))]).toHaveLength(50_000);
    expect([...backend.range('key', Buffer.alloc(0))]).toHaveLength(25_000);
    snapshot.close();
  });
});
