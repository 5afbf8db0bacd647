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

function median(values: number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Medians of runs side by side, so that other load hits both alike. */
function overhead(argv: readonly string[]): number {
  const bare: number[] = [];
  const ours: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    bare.push(timeOf(['-e', '0']));
    ours.push(timeOf(argv));
  }
  return median(ours) - median(bare);
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
