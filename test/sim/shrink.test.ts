import { afterEach, expect, it } from 'vitest';
import { SEEDED_BUGS } from './bugs.js';
import { shrink } from './shrink.js';
import { runSeed, SimulationError } from './simulation.js';

let takeOut = (): void => {};
afterEach(() => takeOut());

it('shows a failure in the smallest world that has it, and how to see it again', async () => {
  const bug = SEEDED_BUGS.find(({ name }) => name === 'lose an event');
  takeOut = bug?.plant() ?? takeOut;
  for (let seed = 1; ; seed++) {
    const error = await runSeed(seed).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    if (!(error instanceof SimulationError)) continue;
    const { profile, error: shrunk } = await shrink(seed, error);
    expect(profile.usesLeases).toBe(false);
    expect(profile.watchers).toBeUndefined();
    expect(shrunk.message).toContain('watch streams');
    expect(shrunk.message).toContain(`ETCDKIT_SIM_SEED=${seed} ETCDKIT_SIM_PROFILE='{`);
    await expect(runSeed(seed, { profile, isVerbose: true })).rejects.toThrow(shrunk.message);
    return;
  }
});
