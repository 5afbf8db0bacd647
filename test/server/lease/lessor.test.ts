import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { minimumLeaseTtlSeconds } from '../../../src/server/lease/lease.js';
import { Lessor, type LessorOptions } from '../../../src/server/lease/lessor.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';

interface Bench {
  readonly clock: ManualClock;
  readonly disk: MemoryDisk;
  readonly backend: MemoryBackend;
  readonly lessor: Lessor;
  /** Closes the backend and opens a lessor on what it committed. */
  restart(): Promise<Bench>;
}

function bench(options: Partial<LessorOptions> = {}, disk = new MemoryDisk()): Bench {
  const clock = new ManualClock();
  const backend = new MemoryBackend({ disk });
  const lessor = new Lessor({
    backend,
    clock,
    minimumTtlSeconds: 2,
    retryMillis: 7000,
    persistsCheckpoints: () => true,
    ...options,
  });
  lessor.restore();
  return {
    clock,
    disk,
    backend,
    lessor,
    async restart() {
      await backend.close();
      return bench(options, disk);
    },
  };
}

const noKeys = (): void => {};

describe('Lessor queues', () => {
  it('forget leases that were revoked long before their time', () => {
    const { lessor } = bench({ checkpointIntervalMillis: 1000 });
    lessor.promote(0);
    lessor.grant(1n, 10);
    for (let id = 2n; id < 20_000n; id++) {
      lessor.grant(id, 86_400);
      lessor.revoke(id, noKeys);
    }
    expect(lessor.queued).toBeLessThan(5000);
  });

  it('know a lease from an earlier one of the same id', () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    for (let i = 0; i < 10; i++) {
      lessor.grant(1n, 10);
      lessor.revoke(1n, noKeys);
    }
    lessor.grant(1n, 10);
    clock.advance(10_000);
    expect(lessor.takeExpired(100)).toEqual([1n]);
  });
});

describe('minimumLeaseTtlSeconds', () => {
  it('is one and a half election timeouts, rounded up', () => {
    expect(minimumLeaseTtlSeconds(10, 100)).toBe(2);
    expect(minimumLeaseTtlSeconds(10, 1000)).toBe(15);
    expect(minimumLeaseTtlSeconds(5, 100)).toBe(1);
  });
});

describe('Lessor', () => {
  it('L1: raises a TTL below the minimum and refuses one that is too large', () => {
    const { lessor } = bench();
    expect(lessor.grant(1n, 1)).toBe(2);
    expect(lessor.grant(2n, -5)).toBe(2);
    expect(lessor.grant(3n, 9_000_000_000)).toBe(9_000_000_000);
    expect(() => lessor.grant(4n, 9_000_000_001)).toThrow('too large lease TTL');
  });

  it('L2: refuses an id that is in use', () => {
    const { lessor } = bench();
    lessor.grant(1n, 10);
    expect(() => lessor.grant(1n, 10)).toThrow('lease already exists');
    // The TTL is looked at first.
    expect(() => lessor.grant(1n, 9_000_000_001)).toThrow('too large lease TTL');
    expect(lessor.grant(2n, 10)).toBe(10);
  });

  it('L3: takes any 64-bit id, and finds it again after a restart', async () => {
    const first = bench();
    const ids = [-1n, 2n ** 63n - 1n, -(2n ** 63n)];
    for (const id of ids) first.lessor.grant(id, 10);
    const second = await first.restart();
    for (const id of ids) expect(second.lessor.get(id)?.ttlSeconds).toBe(10);
  });

  it('L4: moves a key to the lease it was put with last', () => {
    const { lessor } = bench();
    lessor.grant(1n, 10);
    lessor.grant(2n, 10);
    lessor.attach(1n, 'foo');
    lessor.detach(1n, 'foo');
    lessor.attach(2n, 'foo');
    const deleted: string[] = [];
    lessor.revoke(1n, (keys) => deleted.push(...keys));
    expect(deleted).toEqual([]);
    lessor.revoke(2n, (keys) => deleted.push(...keys));
    expect(deleted).toEqual(['foo']);
  });

  it('L6: says of a revoked lease that it is not found', () => {
    const { lessor } = bench();
    lessor.promote(0);
    lessor.grant(1n, 10);
    lessor.revoke(1n, noKeys);
    expect(() => lessor.revoke(1n, noKeys)).toThrow('requested lease not found');
    expect(() => lessor.attach(1n, 'k')).toThrow('requested lease not found');
    expect(() => lessor.renew(1n)).toThrow('requested lease not found');
    expect(lessor.get(1n)).toBeUndefined();
  });

  it('L7: hands out the keys of a revoked lease in byte order, and none if there are none', () => {
    const { lessor } = bench();
    lessor.grant(1n, 10);
    lessor.grant(2n, 10);
    for (const key of ['b', 'a\xff', 'c', 'a']) lessor.attach(1n, key);
    const calls: (readonly string[])[] = [];
    lessor.revoke(1n, (keys) => calls.push(keys));
    lessor.revoke(2n, (keys) => calls.push(keys));
    expect(calls).toEqual([['a', 'a\xff', 'b', 'c']]);
  });

  it('L8: lets a renewal of an expired lease wait for its revocation', async () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    lessor.grant(1n, 10);
    clock.advance(10_001);
    const renewal = lessor.renewable(1n);
    lessor.revoke(1n, noKeys);
    await expect(renewal).rejects.toThrow('requested lease not found');
  });

  it('L8: ends that wait when the member stops being primary', async () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    lessor.grant(1n, 10);
    clock.advance(10_001);
    const renewal = lessor.renewable(1n);
    lessor.demote();
    await expect(renewal).rejects.toThrow('not a primary lessor');
    await expect(lessor.renewable(1n)).rejects.toThrow('not a primary lessor');
  });

  it('ends the wait of a caller that gave up', async () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    lessor.grant(1n, 10);
    clock.advance(10_001);
    const abort = new AbortController();
    const renewal = lessor.renewable(1n, abort.signal);
    abort.abort(new Error('gone'));
    await expect(renewal).rejects.toThrow('gone');
    expect(lessor.get(1n)?.endWaiters.size).toBe(0);
  });

  it('never expires anything on a member that is not primary', () => {
    const { lessor, clock } = bench();
    lessor.grant(1n, 2);
    clock.advance(1_000_000);
    expect(lessor.takeExpired(10)).toEqual([]);
  });

  it('offers an expired lease once, and again after the retry time', () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    lessor.grant(1n, 10);
    lessor.grant(2n, 20);
    clock.advance(9_999);
    expect(lessor.takeExpired(10)).toEqual([]);
    clock.advance(1);
    expect(lessor.takeExpired(10)).toEqual([1n]);
    clock.advance(6_999);
    expect(lessor.takeExpired(10)).toEqual([]);
    clock.advance(1);
    expect(lessor.takeExpired(10)).toEqual([1n]);
  });

  it('expires a renewed lease by its new time alone', () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    lessor.grant(1n, 10);
    clock.advance(9_000);
    expect(lessor.renew(1n)).toBe(10);
    clock.advance(9_999);
    expect(lessor.takeExpired(10)).toEqual([]);
    clock.advance(1);
    expect(lessor.takeExpired(10)).toEqual([1n]);
  });

  it.each([
    { persists: true, afterReload: 5 },
    { persists: false, afterReload: 10 },
  ])('L9: starts a promotion from the checkpoint ($persists)', async (vector) => {
    const first = bench({ persistsCheckpoints: () => vector.persists });
    first.lessor.grant(1n, 10);
    first.lessor.checkpoint(1n, 5);
    first.lessor.promote(0);
    expect(remainingSeconds(first, 1n)).toBe(5);
    const second = await first.restart();
    second.lessor.promote(0);
    expect(remainingSeconds(second, 1n)).toBe(vector.afterReload);
  });

  it('L10: spreads leases that would expire together', async () => {
    const first = bench({ revokeRate: 10 });
    for (let i = 0n; i < 100n; i++) {
      first.lessor.grant(i + 1n, 10);
      first.lessor.grant(i + 1001n, 11);
    }
    const { lessor, clock } = await first.restart();
    lessor.promote(0);
    const perSecond = new Map<number, number>();
    for (const lease of lessor.list()) {
      const second = Math.floor((lease.expiryMillis - clock.monotonicMillis()) / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    for (let second = 10; second < 30; second++) {
      expect(perSecond.get(second), `second ${second}`).toBeGreaterThanOrEqual(5);
      expect(perSecond.get(second), `second ${second}`).toBeLessThanOrEqual(10);
    }
  });

  it('L11: makes a checkpoint once for each interval', () => {
    const { lessor, clock } = bench({ checkpointIntervalMillis: 1000 });
    lessor.promote(0);
    lessor.grant(1n, 2);
    clock.advance(999);
    expect(lessor.takeDueCheckpoints(10)).toEqual([]);
    clock.advance(1);
    expect(lessor.takeDueCheckpoints(10)).toEqual([{ id: 1n, remainingTtlSeconds: 1 }]);
    expect(lessor.takeDueCheckpoints(10)).toEqual([]);
  });

  it('clears the checkpoint of a renewed lease', () => {
    const { lessor } = bench({ checkpointIntervalMillis: 1000 });
    lessor.promote(0);
    lessor.grant(1n, 100);
    lessor.checkpoint(1n, 40);
    expect(lessor.needsCheckpointReset(1n)).toBe(true);
    expect(lessor.renew(1n)).toBe(100);
    expect(lessor.needsCheckpointReset(1n)).toBe(false);
  });

  it('L12: lists the leases in the order in which they expire', () => {
    const { lessor, clock } = bench();
    lessor.promote(0);
    for (let id = 1n; id <= 5n; id++) {
      lessor.grant(id, 30);
      clock.advance(1);
    }
    expect(lessor.list().map(({ id }) => id)).toEqual([1n, 2n, 3n, 4n, 5n]);
    lessor.renew(2n);
    expect(lessor.list().map(({ id }) => id)).toEqual([1n, 3n, 4n, 5n, 2n]);
  });

  it('adds the extension to every lease when it becomes primary', () => {
    const bed = bench();
    bed.lessor.grant(1n, 10);
    bed.lessor.promote(1000);
    expect(remainingSeconds(bed, 1n)).toBe(11);
  });
});

function remainingSeconds({ lessor }: Bench, id: bigint): number {
  const lease = lessor.get(id);
  if (lease === undefined) throw new Error(`no lease ${id}`);
  return lessor.remainingMillis(lease) / 1000;
}
