import { describe, expect, it } from 'vitest';
import { PingPolicy } from '../../../src/server/rpc/ping-policy.js';

describe('PingPolicy', () => {
  it('forgives two pings that come too soon, not three', () => {
    const policy = new PingPolicy(5000);
    expect(policy.allow(0, 1)).toBe(true);
    expect(policy.allow(4000, 1)).toBe(true);
    expect(policy.allow(8000, 1)).toBe(true);
    expect(policy.allow(12_000, 1)).toBe(false);
  });

  it('lets pings in time pass for ever', () => {
    const policy = new PingPolicy(5000);
    for (let ping = 0; ping < 10; ping++) expect(policy.allow(ping * 5000, 1)).toBe(true);
  });

  it('wants two hours between pings while no call is open', () => {
    const policy = new PingPolicy(5000);
    for (let ping = 0; ping < 3; ping++) policy.allow(ping * 60_000, 0);
    expect(policy.allow(180_000, 0)).toBe(false);
  });

  it('starts over when the server has sent something', () => {
    const policy = new PingPolicy(5000);
    for (let ping = 0; ping < 20; ping++) {
      if (ping % 3 === 0) policy.forgive();
      expect(policy.allow(ping, 1)).toBe(true);
    }
  });
});
