import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';

const RUNS = 20;
/** `version` may take this much longer than Node itself, in milliseconds. */
const VERSION_BUDGET = 80;
/** So may a client command that finds no server: all its code is loaded by then. */
const CLIENT_BUDGET = 150;

function timeOf(argv: readonly string[]): number {
  const started = performance.now();
  spawnSync(process.execPath, argv, { env: { PATH: process.env.PATH ?? '' } });
  return performance.now() - started;
}

/** The fastest runs side by side: whatever else the machine does can only add to them. */
function overhead(argv: readonly string[]): number {
  let bare = Number.POSITIVE_INFINITY;
  let ours = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    bare = Math.min(bare, timeOf(['-e', '0']));
    ours = Math.min(ours, timeOf(argv));
  }
  return ours - bare;
}

describe('start-up', () => {
  it(`of version takes at most ${VERSION_BUDGET} ms more than Node`, { timeout: 60_000 }, () => {
    expect(overhead([binaryPath('etcdkit'), 'version'])).toBeLessThan(VERSION_BUDGET);
  });

  it(`of put takes at most ${CLIENT_BUDGET} ms more than Node`, { timeout: 60_000 }, () => {
    const argv = [binaryPath('etcdctl'), '--endpoints=127.0.0.1:1', '--command-timeout=1ms'];
    expect(overhead([...argv, 'put', 'k', 'v'])).toBeLessThan(CLIENT_BUDGET);
  });
});
