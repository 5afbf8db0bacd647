import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRawRecords } from '../../../src/offline/logs/raw-records.js';
import { inspectLog } from '../../../src/offline/logs/verify-log.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { WalError } from '../../../src/storage/wal/wal-error.js';
import { WAL } from '../../storage/wal/support.js';
import { unpackRealEtcd } from '../../support/recorded-directory.js';
import { sharedPath } from '../../support/shared.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import { type Dumped, diskWith, dump, SEGMENT, usedSegment } from './support.js';

const FLIPS = 1500;
/** Unused space behind the log, as in a segment that is being written. */
const TAIL = Buffer.alloc(1024);

async function outcome(work: Promise<Dumped>): Promise<Dumped | WalError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof WalError) return error;
    throw error;
  }
}

describe.skipIf(sharedPath('fixtures') === undefined).each(['3.4.23', '3.5.30'])(
  'the damaged log of etcd %s',
  (version) => {
    let directory: TempDir;
    let bytes: Buffer;
    let boundaries: readonly { offset: number; entries: number }[];
    let whole: string[];

    beforeAll(async () => {
      directory = await makeTempDir();
      const wal = join(unpackRealEtcd(version, directory.path), 'member/wal');
      ({ bytes, boundaries } = await usedSegment(wal));
      whole = (await dump(await diskWith(bytes))).entries;
    });

    afterAll(() => directory.remove());

    it('cut near any record gives the entries before, and is torn unless cut between two', async () => {
      expect(boundaries.length).toBeGreaterThan(700);
      for (const [at, { offset, entries }] of boundaries.entries()) {
        // Both sides of every boundary; all eight bytes around every sixteenth.
        const reach =
          at % 16 === 0
            ? [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8]
            : [-8, -1, 0, 1, 8];
        for (const by of reach) {
          const length = offset + by;
          if (length <= 0 || length > bytes.length) continue;
          const fs = await diskWith(bytes.subarray(0, length));
          const found = await dump(fs);
          const before = boundaries.findLast((boundary) => boundary.offset <= length)?.entries ?? 0;
          expect(found.entries.length, `length ${length}`).toBe(
            by >= 0 ? Math.max(entries, before) : before,
          );
          expect(found.entries.at(-1)).toBe(whole[found.entries.length - 1]);
          const isBetween = boundaries.some((boundary) => boundary.offset === length);
          expect(found.outline.torn === undefined, `length ${length}`).toBe(isBetween);
        }
      }
    }, 60_000);

    it('cut anywhere is told to be torn, with the last good record', async () => {
      const random = seededRandom(7);
      for (let round = 0; round < 300; round++) {
        const length = 1 + random.integer(bytes.length - 1);
        const verdict = await inspectLog(await diskWith(bytes.subarray(0, length)), WAL);
        const at = boundaries.findLastIndex(({ offset }) => offset <= length);
        const { offset = 0, entries = 0 } = boundaries[at] ?? {};
        expect(verdict).toMatchObject({ isSound: true, damage: undefined, behind: undefined });
        expect(verdict.extent.entries).toBe(entries);
        if (offset === length) expect(verdict.torn).toBeUndefined();
        else expect(verdict.torn).toMatchObject({ file: SEGMENT, offset, record: at + 1 });
      }
    });

    it('with any bit flipped gives a placed fault or a prefix, never another entry', async () => {
      const random = seededRandom(11);
      const kinds = new Set<string>();
      for (let round = 0; round < FLIPS; round++) {
        const broken = Buffer.concat([bytes, TAIL]);
        const bit = random.integer(bytes.length * 8);
        broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const fs = await diskWith(broken);
        const found = await outcome(dump(fs));
        if (found instanceof WalError) {
          kinds.add(found.fault);
          expect(found.file, `bit ${bit}`).toBe(SEGMENT);
          // A wrong padding shows where the next record should begin.
          const next = boundaries.find(({ offset }) => offset > bit >> 3)?.offset ?? 0;
          expect(found.offset).toBeLessThanOrEqual(next + 8);
        } else {
          expect(found.entries, `bit ${bit}`).toEqual(whole.slice(0, found.entries.length));
        }
        const { isSound, damage, torn, extent } = await inspectLog(fs, WAL);
        if (isSound && torn === undefined) expect(extent.lastIndex).toBe(whole.length);
        const site = damage ?? torn;
        if (site === undefined) continue;
        expect(site.file).toBe(SEGMENT);
        expect(site.offset, `bit ${bit}`).toBeLessThanOrEqual(bit >> 3);
        expect(boundaries[site.record - 1]?.offset).toBe(site.offset);
        const upTo = site.reason.startsWith('wrong padding') ? site.record : site.record - 1;
        expect(extent.entries).toBe(boundaries[upTo]?.entries);
      }
      expect(kinds).toContain('crc-mismatch');
      expect(kinds).toContain('undecodable');
    }, 120_000);

    it('tells what can be read behind a damage, and --raw reads it', async () => {
      const random = seededRandom(3);
      for (let round = 0; round < 100; round++) {
        const broken = Buffer.concat([bytes, TAIL]);
        const at = 3 + random.integer(boundaries.length - 10);
        const site = boundaries[at]?.offset ?? 0;
        // In the middle of the record: its length and its own CRC stay.
        const middle = (site + 16 + (boundaries[at + 1]?.offset ?? 0)) >> 1;
        broken[middle] = (broken[middle] ?? 0) ^ 0x10;
        const fs = await diskWith(broken);
        const verdict = await inspectLog(fs, WAL);
        expect(verdict.isSound).toBe(false);
        expect(verdict.damage).toMatchObject({ file: SEGMENT, offset: site, record: at + 1 });
        expect(verdict.behind).toMatchObject({
          offset: boundaries[at + 1]?.offset,
          records: boundaries.length - at - 2,
          lastIndex: whole.length,
        });
        let records = 0;
        const end = await readRawRecords(fs, WAL, [SEGMENT], () => {
          records += 1;
        });
        expect(end.kind === 'end' ? records : boundaries.length - 1).toBe(boundaries.length - 1);
      }
    });

    it('with a hole of zeros in it is damaged, not just torn', async () => {
      const { offset = 0 } = boundaries[200] ?? {};
      const broken = Buffer.concat([bytes, TAIL]);
      broken.fill(0, offset, offset + 600);
      const verdict = await inspectLog(await diskWith(broken), WAL);
      expect(verdict.isSound).toBe(false);
      expect(verdict.damage).toMatchObject({ offset, record: 201 });
      expect(verdict.behind?.lastIndex).toBe(whole.length);
    });
  },
);
