import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Profile } from './profile.js';
import { shrink } from './shrink.js';
import { runSeed, SimulationError } from './simulation.js';

/** How many worlds to live through: a few for each run of the tests; CI asks for more. */
const SEEDS = Number(process.env.ETCDKIT_SIM_SEEDS ?? 50);
/** The first of them. */
const FIRST = Number(process.env.ETCDKIT_SIM_FIRST_SEED ?? 1);
/** One to see again, with all that the members log, and what of its profile is to be otherwise. */
const SEED = process.env.ETCDKIT_SIM_SEED;
const PROFILE = JSON.parse(process.env.ETCDKIT_SIM_PROFILE ?? '{}') as Partial<Profile>;
/** Seeds that run before other work of the process gets a turn. */
const SEEDS_AT_ONCE = 10;
/** Longest that a seed may take on a busy machine, on average, ms. */
const SEED_MILLIS = 1000;

async function liveThroughMany(): Promise<void> {
  const sums = { answered: 0, revisions: 0, leaderTerms: 0, joined: 0, removed: 0 };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const report = await runSeed(seed).catch(async (error: unknown) => {
      if (!(error instanceof SimulationError)) throw error;
      throw (await shrink(seed, error)).error;
    });
    sums.answered += report.answered;
    sums.revisions += report.revisions;
    sums.leaderTerms += report.leaderTerms;
    sums.joined += report.joined;
    sums.removed += report.removed;
    if (seed % SEEDS_AT_ONCE === 0) await nextTurn();
  }
  // A world in which nothing happens keeps every promise.
  expect(sums.answered).toBeGreaterThan(50 * SEEDS);
  expect(sums.revisions).toBeGreaterThan(30 * SEEDS);
  expect(sums.leaderTerms).toBeGreaterThan(2 * SEEDS);
  if (SEEDS >= 500) expect(Math.min(sums.joined, sums.removed)).toBeGreaterThan(SEEDS / 100);
}

async function seeAgain(): Promise<void> {
  console.log(await runSeed(Number(SEED), { isVerbose: true, profile: PROFILE }));
}

if (SEED === undefined) {
  it(
    `clusters keep their promises in the worlds of ${SEEDS} seeds`,
    liveThroughMany,
    30_000 + SEEDS * SEED_MILLIS,
  );
} else {
  it(`the world of seed ${SEED}`, seeAgain, 60_000);
}

it('a seed always stands for the same world', async () => {
  const first = await runSeed(7);
  expect(await runSeed(7)).toEqual(first);
  // What is logged changes nothing.
  expect(await runSeed(7, { isVerbose: true })).toEqual(first);
});
