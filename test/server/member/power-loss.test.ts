import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { type CrashMode, MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import type { Random } from '../../../src/platform/random.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import type { OpenedMember } from '../../../src/server/bootstrap/open-member.js';
import { publish } from '../../../src/server/publish.js';
import { MemoryBackend, MemoryDisk } from '../../../src/storage/backend/memory.js';
import { isWalFault } from '../../../src/storage/wal/wal-error.js';
import { CrashHistory } from '../../support/crash-history.js';
import { openInMemory } from '../../support/in-memory-member.js';
import { memberDestination, memberInspection } from '../../support/member-inspection.js';

const SEEDS = [1, 2];
const LOSSES = 50;
const CLIENTS = 8;
/** Operations of the file system from the start of writing to a power loss, at most. */
const MAX_OPERATIONS = 160;
/** As many as a start takes, roughly. */
const START_OPERATIONS = 60;
/** One start in this many loses power. */
const LOST_START_EVERY = 5;

/** So small that rounds meet new segments, snapshots and compactions that are under way. */
const SETTINGS = {
  snapshotCount: 50,
  snapshotCatchUpEntries: 20,
  walSegmentBytes: 16 * 1024,
  compactionBatchLimit: 10,
};

class PowerLost extends Error {}

/** A member on a machine whose power can go at any operation of its file system. */
class Machine {
  readonly #random: Random;
  readonly #mode: CrashMode;
  readonly #disk = new MemoryDisk();
  #fs: MemoryFs;
  #survivor: MemoryFs | undefined;
  #backend: MemoryBackend | undefined;
  #operationsLeft = Number.POSITIVE_INFINITY;
  #onFailure: (error: unknown) => void = () => {};
  #opened: OpenedMember | undefined;

  constructor(random: Random, mode: CrashMode) {
    this.#random = random;
    this.#mode = mode;
    this.#fs = new MemoryFs({ pace: () => this.#pace() });
  }

  get member() {
    if (this.#opened === undefined) throw new Error('the member is not started');
    return this.#opened.member;
  }

  losePowerAfter(operations: number): void {
    this.#operationsLeft = operations;
  }

  /** @throws PowerLost if that comes before the member serves */
  async start(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#onFailure = reject;
    });
    // Heard of while the member starts; later its clients hear of it.
    failed.catch(() => {});
    try {
      this.#opened = await this.#open();
      this.member.start();
      const ready = publish(this.member, { name: 'default', clientUrls: [] }, silentLogger);
      await Promise.race([ready, failed]);
    } catch (error) {
      if (this.#survivor !== undefined) throw new PowerLost('at the start', { cause: error });
      throw error;
    }
  }

  /** Ends the member that lost its power, and gives what its disks hold to the next. */
  async restart(): Promise<void> {
    const { backend, fs } = { backend: this.#backend, fs: this.#survivor };
    if (fs === undefined) throw new Error('the power did not go');
    // What it could not write is lost, and it says so.
    await this.#opened?.member.stop().catch(() => {});
    backend?.crash();
    this.#fs = fs;
    this.#survivor = undefined;
    this.#backend = undefined;
    this.#opened = undefined;
    this.#operationsLeft = Number.POSITIVE_INFINITY;
  }

  #open(): Promise<OpenedMember> {
    const options = { disk: this.#disk, clock: nodeClock };
    const batchIntervalMillis = 1 + this.#random.integer(20);
    return openInMemory({ fs: this.#fs, backend: this.#disk }, SETTINGS, {
      openBackend: async () => {
        this.#backend = new MemoryBackend({ ...options, batchIntervalMillis });
        return this.#backend;
      },
      onFatal: (error) => {
        this.#onFailure(error);
        // Ends the calls that wait; a disk that is gone is the reason, or the test fails.
        if (this.#survivor === undefined) throw error;
        this.#opened?.member.stop().catch(() => {});
      },
    });
  }

  async #pace(): Promise<void> {
    for (let turns = this.#random.integer(3); turns > 0; turns--) await nextTurn();
    if (--this.#operationsLeft !== 0) return;
    this.#survivor = this.#fs.crash(this.#random, this.#mode);
    this.#backend?.crash();
  }
}

async function startAgain(machine: Machine, random: Random): Promise<void> {
  for (;;) {
    const isLost = random.integer(LOST_START_EVERY) === 0;
    if (isLost) machine.losePowerAfter(1 + random.integer(START_OPERATIONS));
    try {
      await machine.start();
      machine.losePowerAfter(Number.POSITIVE_INFINITY);
      return;
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
      await machine.restart();
    }
  }
}

/** Lives through power losses; returns how many there were before the log was refused, if it was. */
async function live(seed: number, mode: CrashMode): Promise<{ losses: number; refused: boolean }> {
  const random = seededRandom(seed);
  const machine = new Machine(random, mode);
  const history = new CrashHistory(CLIENTS);
  await machine.start();
  await history.begin(memberDestination(machine.member));
  await history.verify(memberInspection(machine.member));
  for (let losses = 1; losses <= LOSSES; losses++) {
    machine.losePowerAfter(1 + random.integer(MAX_OPERATIONS));
    await history.write(memberDestination(machine.member), random, () => {});
    await machine.restart();
    try {
      await startAgain(machine, random);
    } catch (error) {
      const isNoise = (['crc-mismatch', 'undecodable', 'unexpected-eof'] as const).some((fault) =>
        isWalFault(error, fault),
      );
      if (mode === 'garble' && isNoise) return { losses, refused: true };
      throw new Error(`start after loss ${losses} of seed ${seed}`, { cause: error });
    }
    await history.verify(memberInspection(machine.member)).catch((error: unknown) => {
      throw new Error(`after loss ${losses} of seed ${seed}`, { cause: error });
    });
  }
  await machine.member.stop();
  expect(history.acknowledgedCount).toBeGreaterThan(LOSSES * 20);
  return { losses: LOSSES, refused: false };
}

it.each(['keep', 'lose', 'tear'] as const)(
  'a member keeps what it acknowledged when the power goes: %s',
  async (mode) => {
    for (const seed of SEEDS) {
      expect(await live(seed, mode)).toEqual({ losses: LOSSES, refused: false });
    }
  },
  120_000,
);

it('a member whose disk left noise keeps what it acknowledged, or refuses its log', async () => {
  let losses = 0;
  for (let seed = 1; losses < 2 * LOSSES; seed++) losses += (await live(seed, 'garble')).losses;
}, 120_000);
