import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';

describe.skipIf(!hasRealEtcd)('keeping leases of a real etcd alive', () => {
  let etcd: RealEtcd;
  let client: Client;

  beforeAll(async () => {
    etcd = await startRealEtcd();
    client = new Client({ endpoints: [etcd.endpoint] });
  });

  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });

  it('renews every third of the TTL until the reader leaves', async () => {
    const { ID } = await client.lease.grant({ TTL: 2 });
    const start = performance.now();
    let answers = 0;
    for await (const { TTL } of client.lease.keepAlive(ID)) {
      expect(TTL).toBe(2);
      answers++;
      if (answers === 5) {
        break;
      }
    }
    // Longer than the lease would have lived, and not faster than its thirds.
    expect(performance.now() - start).toBeGreaterThan(2_300);
    expect((await client.lease.timeToLive({ ID })).TTL).toBeGreaterThanOrEqual(1);
  });

  it('ends when the lease is revoked or was never there', async () => {
    const { ID } = await client.lease.grant({ TTL: 2 });
    const responses = client.lease.keepAlive(ID);
    await responses.next();
    await client.lease.revoke(ID);
    expect((await responses.next()).done).toBe(true);
    expect((await client.lease.keepAlive(12345n).next()).done).toBe(true);
  });
});
