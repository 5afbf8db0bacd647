import { describe, expect, it } from 'vitest';
import { WritePace } from '../../src/platform/write-pace.js';

function paceAfter(...millis: number[]): WritePace {
  const pace = new WritePace();
  for (const each of millis) pace.note(each);
  return pace;
}

const times = (count: number, millis: number): number[] => Array(count).fill(millis);

describe('WritePace', () => {
  it('trusts a disk after ten fast writes, not before', () => {
    expect(paceAfter(...times(9, 0.1)).isFast).toBe(false);
    expect(paceAfter(...times(10, 0.1)).isFast).toBe(true);
  });

  it('never trusts a disk whose writes take milliseconds', () => {
    expect(paceAfter(...times(1000, 2)).isFast).toBe(false);
  });

  it('overlooks a few slow writes among many', () => {
    const pace = paceAfter(...times(20, 0.1));
    for (let round = 0; round < 100; round++) {
      for (const millis of [0.1, 3, 0.2, 9, 0.1]) pace.note(millis);
      expect(pace.isFast).toBe(true);
    }
  });

  it('loses its trust in a disk that turns slow after a few writes', () => {
    expect(paceAfter(...times(1000, 0.1), ...times(6, 3)).isFast).toBe(true);
    expect(paceAfter(...times(1000, 0.1), ...times(7, 3)).isFast).toBe(false);
  });

  it('loses it at once after a stall, and regains it', () => {
    const pace = paceAfter(...times(1000, 0.1), 11);
    expect(pace.isFast).toBe(false);
    for (const millis of times(10, 0.1)) pace.note(millis);
    expect(pace.isFast).toBe(true);
  });
});
