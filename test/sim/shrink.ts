import type { Profile } from './profile.js';
import { runSeed, SimulationError } from './simulation.js';
import { Violation } from './violation.js';

/** The same failure in a smaller world, to be read more easily. */
export interface Shrunk {
  /** What of the profile is otherwise than the seed has it. */
  readonly profile: Partial<Profile>;
  readonly error: SimulationError;
}

/** Simpler worlds, the greatest simplification first. */
function simplerThan(profile: Profile): Partial<Profile>[] {
  return [
    { watchers: 0 },
    { usesLeases: false },
    { usesCompaction: false },
    { clockDrift: 0 },
    { snapshotCount: 10_000, snapshotCatchUpEntries: 5000 },
    ...[...new Set(profile.faults)].map((fault) => ({
      faults: profile.faults.filter((other) => other !== fault),
    })),
    ...profile.crashModes.map((mode) => ({ crashModes: [mode] })),
    { clients: 1 },
    { durationMillis: Math.floor(profile.durationMillis / 2) },
  ];
}

/** Looks for a smaller world in which the same rule is broken, one simplification at a time. */
export async function shrink(seed: number, found: SimulationError): Promise<Shrunk> {
  let best: Shrunk = { profile: {}, error: found };
  for (const simplification of simplerThan(found.profile)) {
    const profile = { ...best.profile, ...intersected(best.profile, simplification) };
    const error = await failureOf(seed, profile);
    if (error !== undefined && ruleOf(error) === ruleOf(found)) best = { profile, error };
  }
  const error = await failureOf(seed, best.profile, true);
  return error === undefined ? best : { ...best, error };
}

/** Faults that were taken out before stay out. */
function intersected(before: Partial<Profile>, { faults, ...rest }: Partial<Profile>) {
  if (faults === undefined) return rest;
  const left = before.faults;
  return { ...rest, faults: left === undefined ? faults : faults.filter((f) => left.includes(f)) };
}

async function failureOf(
  seed: number,
  profile: Partial<Profile>,
  isVerbose = false,
): Promise<SimulationError | undefined> {
  try {
    await runSeed(seed, { profile, isVerbose });
    return undefined;
  } catch (error) {
    if (error instanceof SimulationError) return error;
    throw error;
  }
}

function ruleOf({ cause }: SimulationError): string {
  if (cause instanceof Violation) return cause.rule;
  return cause instanceof Error ? cause.message : String(cause);
}
