import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CrashMode, MemoryFs } from '../../../src/platform/memory-fs.js';
import type { Random } from '../../../src/platform/random.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import type { HardState } from '../../../src/storage/wal/record-types.js';
import { isWalFault } from '../../../src/storage/wal/wal-error.js';
import { createWriter, entry, reopen, state, texts } from './support.js';

interface Member {
  fs: MemoryFs;
  /** Entries whose save resolved, as text. */
  safe: string[];
  /** Entries that were saved, or were being saved, when the power went. */
  attempted: string[];
  hardState: HardState | undefined;
}

/** Saves at random until the disk dies under a save. */
async function liveUntilPowerLoss(member: Member, seed: number, mode: CrashMode): Promise<void> {
  const random = seededRandom(seed);
  const { contents, writer } = await reopen(member.fs, { segmentBytes: 8192 });
  member.safe = texts(contents.entries);
  member.hardState = contents.hardState;
  const saves = 1 + random.integer(12);
  const term = (contents.hardState?.term ?? 0) + 1;
  for (let at = 0; ; at++) {
    const next = member.safe.length + 1;
    const batch = Array.from({ length: 1 + random.integer(4) }, (_, offset) =>
      entry(next + offset, randomText(random), term),
    );
    const commitOnly = state(term, member.safe.length);
    if (member.safe.length > 0 && random.integer(3) === 0) await writer.save(commitOnly, []);
    const after = state(term, member.safe.length);
    member.attempted = [...member.safe, ...texts(batch)];
    const saving = writer.save(after, batch);
    if (at === saves) {
      saving.catch(() => {});
      await waitTurns(random.integer(60));
      member.fs = member.fs.crash(random, mode);
      await saving.then(
        () => {
          member.safe = member.attempted;
          member.hardState = after;
        },
        () => {},
      );
      return;
    }
    await saving;
    member.safe = member.attempted;
    member.hardState = after;
  }
}

/** Of a length that varies widely, and distinct by its beginning. */
function randomText(random: Random): string {
  const start = random.bytes(4).toString('hex');
  return start.padEnd(random.integer(1500), 'x');
}

/** Lets a save get on by some steps, so that the power goes at any of them. */
async function waitTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

async function newMember(): Promise<Member> {
  const fs = new MemoryFs();
  await (await createWriter(fs, { segmentBytes: 8192 })).close();
  return { fs, safe: [], attempted: [], hardState: undefined };
}

describe('a log after power losses', () => {
  it.each(['keep', 'lose', 'tear'] as const)(
    'holds every entry whose save resolved, and nothing that was never saved: %s',
    async (mode) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer(), { minLength: 1, maxLength: 4 }), async (seeds) => {
          const member = await newMember();
          for (const seed of seeds) {
            await liveUntilPowerLoss(member, seed, mode);
            const { contents, writer } = await reopen(member.fs, { segmentBytes: 8192 });
            const found = texts(contents.entries);
            expect(found.slice(0, member.safe.length)).toEqual(member.safe);
            expect(found).toEqual(member.attempted.slice(0, found.length));
            if (member.hardState !== undefined) {
              expect(contents.hardState?.term).toBeGreaterThanOrEqual(member.hardState.term);
            }
            await writer.close();
          }
        }),
        { numRuns: 150 },
      );
    },
  );

  it('is never wrong where the disk left noise: a fault, or what was saved', async () => {
    let faults = 0;
    for (let seed = 0; seed < 300; seed++) {
      const member = await newMember();
      await liveUntilPowerLoss(member, seed, 'garble');
      try {
        const { contents, writer } = await reopen(member.fs, { segmentBytes: 8192 });
        const found = texts(contents.entries);
        expect(found.slice(0, member.safe.length)).toEqual(member.safe);
        expect(found).toEqual(member.attempted.slice(0, found.length));
        await writer.close();
      } catch (error) {
        const isFault = (['crc-mismatch', 'undecodable', 'unexpected-eof'] as const).some((fault) =>
          isWalFault(error, fault),
        );
        if (!isFault) throw error;
        faults++;
      }
    }
    expect(faults).toBeLessThan(150);
  });

  it('is there whole or not at all if the power goes while it is made', async () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = seededRandom(seed);
      const fs = new MemoryFs();
      const making = createWriter(fs);
      making.catch(() => {});
      await waitTurns(random.integer(60));
      const after = fs.crash(random, 'tear');
      const exists = await making.then(
        () => true,
        () => false,
      );
      if (exists) {
        const { contents } = await reopen(after);
        expect(contents).toMatchObject({ entries: [], snapshotFound: true });
      } else {
        const again = await createWriter(after).catch((error: unknown) => error);
        if (isWalFault(again, 'file-exists')) await reopen(after);
        else expect(again).not.toBeInstanceOf(Error);
      }
    }
  });
});
