import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeptSegments } from '../../../src/offline/logs/log-directory.js';
import { readEntries, readOutline } from '../../../src/offline/logs/log-outline.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { WalWriter } from '../../../src/storage/wal/writer.js';
import {
  createWriter,
  entries,
  METADATA,
  state,
  texts,
  VOTERS,
  WAL,
} from '../../storage/wal/support.js';
import { tempDir } from '../../support/temp-dir.js';
import { dump } from './support.js';

const START = { index: 0, term: 0 };

describe('reading a log twice', () => {
  it('finds the entries that a member would, however often they were replaced', async () => {
    const step = fc.record({ back: fc.nat(5), count: fc.integer({ min: 1, max: 4 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(12), async (steps, startAt) => {
        const fs = new MemoryFs({ tracked: false });
        const writer = await createWriter(fs, { segmentBytes: 400 });
        let last = 0;
        for (const [at, { back, count }] of steps.entries()) {
          const from = Math.max(1, last + 1 - back);
          last = from + count - 1;
          await writer.save(state(at + 1, 0), entries(from, last, at + 1));
        }
        await writer.close();
        const expected = texts((await readWal(fs, WAL)).entries);
        const found = await dump(fs, WAL, START);
        expect(found.entries).toEqual(expected);
        expect(found.outline.lastIndex).toBe(last);
        const index = Math.min(startAt, last);
        const later = await dump(fs, WAL, { index, term: undefined });
        expect(later.entries).toEqual(expected.slice(index));
      }),
      { numRuns: 150, seed: 42 },
    );
  });

  it('begins behind a snapshot, and drops the log that a snapshot of the leader replaced', async () => {
    const fs = new MemoryFs({ tracked: false });
    const writer = await createWriter(fs);
    await writer.save(state(1, 3), entries(1, 5));
    await writer.saveSnapshot({ index: 3, term: 1, confState: VOTERS });
    await writer.save(state(1, 5), entries(6, 7));
    await writer.saveSnapshot({ index: 20, term: 2, confState: VOTERS });
    await writer.save(state(2, 20), entries(21, 22, 2));
    await writer.close();
    const after = await dump(fs, WAL, { index: 20, term: 2 });
    expect(after.entries).toEqual(['2/21 entry 21', '2/22 entry 22']);
    await expect(dump(fs, WAL, { index: 3, term: 1 })).rejects.toThrow(
      'wal: slice bounds out of range, snapshot[Index: 3, Term: 1], current entry[Index: 21, Term: 2], len(ents): 4',
    );
    await expect(dump(fs, WAL, { index: 3, term: 2 })).rejects.toThrow('wal: snapshot mismatch');
    await expect(dump(fs, WAL, { index: 21, term: 2 })).rejects.toThrow('wal: snapshot not found');
    const files = new KeptSegments(fs);
    const outline = await readOutline(fs, files, WAL, START, { stopAtGap: true });
    expect(outline.gap?.fault).toBe('slice-out-of-range');
    const found: number[] = [];
    await readEntries(files, WAL, outline, ({ index }) => void found.push(index));
    expect(found).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('goes on though a member removes the files meanwhile, and stops where it first stood', async () => {
    const fs = new MemoryFs({ tracked: false });
    const writer = await createWriter(fs, { segmentBytes: 300 });
    for (let at = 1; at <= 30; at++) await writer.save(state(1, at - 1), entries(at, at));
    const files = new KeptSegments(fs);
    const outline = await readOutline(fs, files, WAL, START, { stopAtGap: false });
    expect(outline.segments.length).toBeGreaterThan(3);
    for (const name of (await fs.readDirectory(WAL)).slice(0, 3)) await fs.remove(`${WAL}/${name}`);
    await writer.save(state(1, 30), entries(31, 33));
    const found: number[] = [];
    await readEntries(files, WAL, outline, ({ index }) => void found.push(index));
    expect(found).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
    await files.close();
    await writer.close();
  });

  it('reads a log on disk while it is appended to and cut', async () => {
    const directory = `${await tempDir()}/wal`;
    const options = { clock: nodeClock, segmentBytes: 20_000 };
    const writer = await WalWriter.create(nodeFs, directory, METADATA, options);
    const total = 3000;
    let saved = 0;
    let begun = 0;
    const writing = (async () => {
      while (saved < total) {
        begun = saved + 10;
        await writer.save(state(1, saved), entries(saved + 1, begun));
        saved = begun;
      }
    })();
    let rounds = 0;
    while (saved < total) {
      const before = saved;
      const { entries: found } = await dump(nodeFs, directory, START);
      expect(found.length).toBeGreaterThanOrEqual(before);
      expect(found.length).toBeLessThanOrEqual(begun);
      expect(found.at(-1) ?? '').toBe(
        found.length === 0 ? '' : `1/${found.length} entry ${found.length}`,
      );
      rounds += 1;
    }
    await writing;
    await writer.close();
    expect(rounds).toBeGreaterThan(1);
    expect((await nodeFs.readDirectory(directory)).length).toBeGreaterThan(3);
    expect((await dump(nodeFs, directory, START)).entries).toHaveLength(total);
  });
});
