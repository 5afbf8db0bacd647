import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import {
  CONCURRENT_REVOKES,
  EXPIRY_INTERVAL_MILLIS,
  LeaseExpirer,
} from '../../../src/server/lease/lease-expirer.js';
import { Lessor } from '../../../src/server/lease/lessor.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';

describe('LeaseExpirer', () => {
  it('spares leases that got new time while their revocation waited', async () => {
    const clock = new ManualClock();
    const lessor = new Lessor({
      backend: new MemoryBackend(),
      clock,
      minimumTtlSeconds: 1,
      retryMillis: 7000,
      persistsCheckpoints: () => true,
    });
    lessor.promote(0);
    const ids = Array.from({ length: 3 * CONCURRENT_REVOKES }, (_, i) => BigInt(i + 1));
    for (const id of ids) lessor.grant(id, 1);
    const asked: bigint[] = [];
    const answers: (() => void)[] = [];
    const expirer = new LeaseExpirer({
      lessor,
      clock,
      revoke(id) {
        asked.push(id);
        return new Promise((resolve) => answers.push(resolve));
      },
      checkpoint: async () => {},
      onFailure: (error) => {
        throw error;
      },
    });
    expirer.start();
    clock.advance(1000 + EXPIRY_INTERVAL_MILLIS);
    expect(asked).toHaveLength(CONCURRENT_REVOKES);
    lessor.demote();
    lessor.promote(0);
    for (const answer of answers.splice(0)) answer();
    await nextTurn();
    expect(asked).toHaveLength(CONCURRENT_REVOKES);
    expirer.stop();
  });
});
