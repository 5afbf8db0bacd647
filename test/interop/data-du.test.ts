import { describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import DataDu from '../../src/commands/data/du.js';
import { hasRealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runCommand } from '../support/run-command.js';

describe.skipIf(!hasRealEtcd)('data du of a running real etcd', () => {
  it('tells what each prefix takes, and what a compaction and a defrag would free', async () => {
    const real = await startRealEtcd({ flags: ['--unsafe-no-fsync'] });
    const client = new Client({ endpoints: [real.endpoint] });
    try {
      for (let round = 0; round < 20; round++) {
        for (let at = 0; at < 50; at++) {
          const key = Buffer.from(`/app/churn/${at}`);
          await client.kv.put({ key, value: Buffer.alloc(1000, round) });
        }
      }
      const key = Buffer.from('/app/still/1');
      const { header } = await client.kv.put({ key, value: Buffer.alloc(500) });
      const { stdout, exitCode } = await runCommand(DataDu, [real.endpoint, '-w', 'json']);
      expect(exitCode).toBe(0);
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.slice(0, 2)).toMatchObject([
        { prefix: '/app/churn/', keys: 50, supersededRows: 950 },
        { prefix: '/app/still/', keys: 1, supersededRows: 0, deletedRows: 0 },
      ]);
      const { compactedBytes, usedBytes } = lines[2].total;
      await client.kv.compact({ revision: header?.revision ?? 0, physical: true });
      await client.maintenance.defragment();
      const { dbSize } = await client.maintenance.status();
      // The estimate is about what it turns out to be.
      expect(dbSize).toBeLessThan(usedBytes / 5);
      expect(Math.abs(dbSize - compactedBytes)).toBeLessThan(usedBytes / 10);
    } finally {
      client.close();
      await real.stop();
    }
  });
});
