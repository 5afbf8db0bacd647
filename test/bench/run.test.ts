import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Figure } from '../../bench/results.js';
import { hasRealEtcd } from '../support/real-etcd.js';
import { tempDir } from '../support/temp-dir.js';

/** Three members start twice and carry out four workloads. */
const TIMEOUT_MILLIS = 120_000;
const RUN = fileURLToPath(new URL('../../bench/run.js', import.meta.url));

describe.skipIf(!hasRealEtcd)('npm run bench', () => {
  test.each([
    { of: 'one member', workloads: ['put', 'txn', 'watch', 'million'] },
    { of: 'three members', workloads: ['cluster'] },
  ])(
    'measures real etcd of $of, writes the figures and leaves nothing behind',
    async ({ workloads }) => {
      const directory = await tempDir();
      const json = join(directory, 'figures.json');
      const table = execFileSync(
        process.execPath,
        [
          RUN,
          ...['--quick', '--seconds', '0.3', '--server', 'etcd', '--many-keys', '1000'],
          ...['--only', workloads.join(','), '--dir', directory, '--json', json],
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
      const { figures }: { figures: Figure[] } = JSON.parse(readFileSync(json, 'utf8'));
      expect(new Set(figures.map(({ workload }) => workload))).toEqual(new Set<string>(workloads));
      for (const { title, values } of figures) {
        expect(values.etcd, title).toBeGreaterThan(0);
        expect(table).toContain(title);
      }
      expect(readdirSync(directory)).toEqual(['figures.json']);
    },
    TIMEOUT_MILLIS,
  );

  test('names the option that is wrong', () => {
    expect(() =>
      execFileSync(process.execPath, [RUN, '--only', 'puts'], { stdio: 'pipe', encoding: 'utf8' }),
    ).toThrow('no workload puts');
  });
});
