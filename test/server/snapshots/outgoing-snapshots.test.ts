import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { EMPTY_CONF_STATE, MessageType, newMessage } from '../../../src/raft/types.js';
import { OutgoingSnapshots } from '../../../src/server/snapshots/outgoing-snapshots.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { until } from '../raft-loop/follower.js';

const LATE = 2n;

let backend: MemoryBackend | undefined;
afterEach(() => backend?.crash());

/** A leader whose Raft wants another snapshot sent as soon as it hears of a failure. */
function setUp() {
  const clock = new ManualClock();
  const memory = new MemoryBackend({});
  backend = memory;
  const reports: { readonly millis: number; readonly succeeded: boolean }[] = [];
  let attempts = 0;
  const snapshots = new OutgoingSnapshots({
    backend: memory,
    clock: {
      monotonicMillis: () => clock.monotonicMillis(),
      setTimer: (delayMillis, callback) => clock.setTimer(delayMillis, callback),
      defer: (callback) => void setImmediate(callback),
    },
    logger: silentLogger,
    transport: {
      sendSnapshot: (_message, database) => {
        attempts++;
        database.close();
      },
    },
    applied: () => ({ index: 7, term: 1, confState: EMPTY_CONF_STATE, data: Buffer.alloc(0) }),
    report: (_to, succeeded) => reports.push({ millis: clock.monotonicMillis(), succeeded }),
  });
  const attempt = async (succeeds: boolean): Promise<void> => {
    const before = attempts;
    snapshots.send(newMessage(MessageType.Snap, LATE));
    await until(() => attempts > before);
    snapshots.sent(LATE, succeeds);
  };
  return { clock, snapshots, reports, attempt };
}

describe('snapshots that a member fails to take', () => {
  it('are sent again ever later, and soon again after one that it took', async () => {
    const { clock, reports, attempt } = setUp();
    const delays: number[] = [];
    for (let failure = 0; failure < 7; failure++) {
      const start = clock.monotonicMillis();
      await attempt(false);
      for (let tick = 0; reports.length === failure && tick < 100; tick++) clock.advance(100);
      delays.push((reports.at(-1)?.millis ?? Number.NaN) - start);
    }
    expect(delays).toEqual([0, 500, 1000, 2000, 4000, 5000, 5000]);
    await attempt(true);
    expect(reports.at(-1)?.succeeded).toBe(true);
    const count = reports.length;
    await attempt(false);
    expect(reports.length).toBe(count + 1);
  });

  it('are not reported any more once Raft has another one sent', async () => {
    const { clock, reports, attempt } = setUp();
    await attempt(false);
    await attempt(false);
    await attempt(true);
    clock.advance(10_000);
    expect(reports.map(({ succeeded }) => succeeded)).toEqual([false, true]);
  });

  it('leave no timer behind', async () => {
    const { clock, snapshots, reports, attempt } = setUp();
    await attempt(false);
    await attempt(false);
    snapshots.stop();
    await attempt(false);
    clock.advance(10_000);
    expect(reports).toHaveLength(1);
  });
});
