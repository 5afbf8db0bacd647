import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/platform/manual-clock.js';
import { seededRandom } from '../../src/platform/seeded-random.js';

describe('ManualClock', () => {
  it('fires in order of time, then of setting, each at its own time', () => {
    const clock = new ManualClock(1000);
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name}@${clock.monotonicMillis()}`);
    clock.setTimer(20, note('late'));
    clock.setTimer(10, note('first'));
    clock.setTimer(10, note('second'));
    clock.setPeriodic(8, note('tick'));
    clock.setTimer(5, () => clock.setTimer(0, note('nested')));
    clock.setTimer(15, note('never')).cancel();
    clock.advance(20);
    expect(fired).toEqual(['nested@5', 'tick@8', 'first@10', 'second@10', 'tick@16', 'late@20']);
    expect(clock.wallMillis()).toBe(1020);
    expect(clock.pendingTimers).toBe(1);
    expect(clock.nextDue).toBe(24);
  });

  it('stops a periodic timer from within', () => {
    const clock = new ManualClock();
    let count = 0;
    const timer = clock.setPeriodic(1, () => {
      if (++count === 3) timer.cancel();
    });
    clock.advance(10);
    expect(count).toBe(3);
    expect(clock.nextDue).toBeUndefined();
  });

  it('skews only the wall', () => {
    const clock = new ManualClock(0);
    clock.skewWall(-50);
    expect([clock.wallMillis(), clock.monotonicMillis()]).toEqual([-50, 0]);
  });
});

describe('seededRandom', () => {
  it('repeats for a seed, differs between seeds, and stays within bounds', () => {
    const first = seededRandom(1);
    const again = seededRandom(1);
    const draw = Array.from({ length: 1000 }, () => first.integer(10));
    expect(Array.from({ length: 1000 }, () => again.integer(10))).toEqual(draw);
    const counts = Array(10).fill(0);
    for (const value of draw) counts[value]++;
    for (const count of counts) expect(count).toBeGreaterThan(50);
    expect(seededRandom(1).bytes(16)).not.toEqual(seededRandom(2).bytes(16));
    const float = seededRandom(3).float();
    expect(float >= 0 && float < 1).toBe(true);
  });
});
