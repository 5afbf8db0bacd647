import { expect, it } from 'vitest';
import { TickWatch } from '../../../src/server/raft-loop/tick-watch.js';

it('trusts in what was known as long as ticks come in time', () => {
  const watch = new TickWatch(100, 0);
  for (let now = 100; now <= 1000; now += 100) watch.tick(now);
  expect(watch.wasSteady(50, 1050)).toBe(true);
  expect(watch.wasSteady(50, 1300)).toBe(true);
});

it('knows nothing of the time before it began', () => {
  const watch = new TickWatch(100, 40);
  expect(watch.wasSteady(Number.NEGATIVE_INFINITY, 50)).toBe(false);
  expect(watch.wasSteady(40, 50)).toBe(false);
  expect(watch.wasSteady(41, 50)).toBe(true);
});

it('sees a standstill before and after the tick that follows it', () => {
  const watch = new TickWatch(100, 0);
  watch.tick(100);
  expect(watch.wasSteady(50, 401)).toBe(false);
  watch.tick(401);
  expect(watch.wasSteady(50, 402)).toBe(false);
  watch.tick(501);
  expect(watch.wasSteady(50, 502)).toBe(false);
  expect(watch.wasSteady(401, 502)).toBe(false);
  expect(watch.wasSteady(402, 502)).toBe(true);
});
