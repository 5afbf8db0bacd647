import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { IndexWaits } from '../../../src/server/raft-loop/index-waits.js';

const LATE = { timeoutMillis: 1000, timeoutError: () => new Error('too late') };

describe('waits for an index of the log', () => {
  it('end when it is reached, and take their timers along', async () => {
    const clock = new ManualClock();
    const waits = new IndexWaits(clock);
    const reached = [waits.wait(5), waits.wait(4, LATE)];
    const rest = waits.wait(6, LATE);
    waits.wake(5);
    await Promise.all(reached);
    expect(waits.size).toBe(1);
    clock.advance(2000);
    await expect(rest).rejects.toThrow('too late');
  });

  it('leave nothing behind when they come too late', async () => {
    const clock = new ManualClock();
    const waits = new IndexWaits(clock);
    const late = waits.wait(5, LATE);
    const patient = waits.wait(5);
    clock.advance(1000);
    await expect(late).rejects.toThrow('too late');
    expect(waits.size).toBe(1);
    waits.wake(5);
    await patient;
    expect(waits.size).toBe(0);
  });

  it('end with the loop, now and later', async () => {
    const waits = new IndexWaits(new ManualClock());
    const open = waits.wait(5, LATE);
    waits.close(new Error('stopped'));
    await expect(open).rejects.toThrow('stopped');
    await expect(waits.wait(6)).rejects.toThrow('stopped');
  });
});
