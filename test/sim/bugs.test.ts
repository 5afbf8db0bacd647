import { afterEach, expect, it } from 'vitest';
import { SEEDED_BUGS } from './bugs.js';
import { runSeed, SimulationError } from './simulation.js';

/** Within so many seeds each mistake must be found. */
const MOST_SEEDS = 500;

let takeOut = (): void => {};
afterEach(() => takeOut());

it.each(SEEDED_BUGS)(
  'finds a member that would: $name',
  async ({ plant, profile = {} }) => {
    takeOut = plant();
    let found: unknown;
    for (let seed = 1; seed <= MOST_SEEDS && found === undefined; seed++) {
      await runSeed(seed, { profile }).catch((error: unknown) => {
        found = error;
      });
    }
    expect(found).toBeInstanceOf(SimulationError);
  },
  120_000,
);
