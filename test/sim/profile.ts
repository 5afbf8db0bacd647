import type { CrashMode } from '../../src/platform/memory-fs.js';
import type { Random } from '../../src/platform/random.js';

/** What can go wrong. */
const FAULTS = [
  'crash',
  'crash-at-message',
  'blackout',
  'isolate',
  'one-way',
  'split',
  'pause',
  'slow-disk',
  'broken-disk',
  'full-disk',
  'bad-network',
  'stop',
  'wall-clock',
  'transfer',
  'member-change',
] as const;
export type Fault = (typeof FAULTS)[number];

/** What a seed stands for: the cluster, its clients and what goes wrong. All by chance. */
export interface Profile {
  readonly seed: number;
  readonly members: number;
  readonly clients: number;
  readonly watchers: number;
  /** Virtual ms of faults and load. */
  readonly durationMillis: number;
  /** Longest time between two operations of a client, ms. */
  readonly thinkMillis: number;
  readonly keys: number;
  /** Ticks of Raft, ms. */
  readonly heartbeatMillis: number;
  readonly electionTicks: number;
  readonly preVote: boolean;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly walSegmentBytes: number;
  /** What goes wrong; empty: nothing does. */
  readonly faults: readonly Fault[];
  /** Longest time between two faults, ms. */
  readonly faultMillis: number;
  readonly crashModes: readonly CrashMode[];
  readonly clockDrift: number;
  /** Weights of what clients do. */
  readonly usesLeases: boolean;
  readonly usesCompaction: boolean;
  /** Time between two words of the leader on how long a lease has left, ms; undefined: none. */
  readonly leaseCheckpointMillis: number | undefined;
  readonly persistsLeaseCheckpoints: boolean;
  /** Of 100 operations that read. */
  readonly readShare: number;
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.integer(items.length)] as Item;
}

function chance(random: Random, percent: number): boolean {
  return random.integer(100) < percent;
}

/** Some of the items, in their order; at least one. */
function some<Item>(random: Random, items: readonly Item[]): Item[] {
  const share = 1 + random.integer(items.length);
  const chosen = items.filter(() => random.integer(items.length) < share);
  return chosen.length > 0 ? chosen : [pick(random, items)];
}

/** Draws a profile. */
export function profileOf(seed: number, random: Random): Profile {
  const members = pick(random, [1, 3, 3, 3, 3, 3, 5]);
  // Few worlds are as busy: each takes the time of ten others. There snapshots meet.
  const isBusy = chance(random, 6);
  const isSmall = isBusy || chance(random, 50);
  return {
    seed,
    members,
    clients: isBusy ? 6 : 1 + random.integer(5),
    watchers: random.integer(3),
    durationMillis: (isBusy ? 2 : 1) * (4000 + random.integer(8000)),
    thinkMillis: isBusy ? 10 : pick(random, [20, 60, 150]),
    keys: 1 + random.integer(6),
    heartbeatMillis: pick(random, [50, 100]),
    electionTicks: pick(random, [2, 3, 5, 10]),
    preVote: chance(random, 75),
    snapshotCount: isSmall ? 5 + random.integer(isBusy ? 15 : 50) : 10_000,
    snapshotCatchUpEntries: isSmall ? random.integer(20) : 5000,
    walSegmentBytes: pick(random, [4096, 16_384, 262_144]),
    faults: chance(random, 5) ? [] : faultsOf(random, members, isBusy),
    faultMillis: pick(random, [300, 1000, 2500]),
    crashModes: some(random, ['keep', 'lose', 'tear', 'garble'] as const),
    clockDrift: chance(random, 30) ? 0.05 : 0,
    usesLeases: chance(random, 60),
    usesCompaction: chance(random, 40),
    leaseCheckpointMillis: pick(random, [undefined, undefined, 700]),
    persistsLeaseCheckpoints: chance(random, 50),
    readShare: isBusy ? 10 : pick(random, [10, 30, 60]),
  };
}

/** One member has no network; and what is left of it must not be lost to noise. */
function faultsFor(members: number): readonly Fault[] {
  if (members > 1) return FAULTS;
  return ['crash', 'pause', 'slow-disk', 'broken-disk', 'full-disk', 'stop', 'wall-clock'];
}

function faultsOf(random: Random, members: number, isBusy: boolean): readonly Fault[] {
  const faults = some(random, faultsFor(members)).flatMap(weighted);
  return isBusy ? [...faults, 'slow-disk', 'crash', 'crash-at-message'] : faults;
}

/** A change of the members takes several faults of its kind until it is complete. */
function weighted(fault: Fault): readonly Fault[] {
  return fault === 'member-change' ? [fault, fault, fault, fault] : [fault];
}

export function showProfile(profile: Profile): string {
  return JSON.stringify(profile);
}
