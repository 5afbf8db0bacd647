import { describe, expect, it } from 'vitest';
import { inspectLog, NoLogError } from '../../../src/offline/logs/verify-log.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { Snapshotter } from '../../../src/storage/snap/snapshotter.js';
import type { WalWriter } from '../../../src/storage/wal/writer.js';
import {
  createWriter,
  entries,
  fileBytes,
  putFile,
  state,
  VOTERS,
  WAL,
} from '../../storage/wal/support.js';

const SNAP = '/member/snap';
const snapshot = (index: number, term = 1) => ({ index, term, confState: VOTERS });

/** A log as `write` leaves it. */
async function written(
  write: (writer: WalWriter) => Promise<void>,
  segmentBytes = 1 << 16,
): Promise<MemoryFs> {
  const fs = new MemoryFs({ tracked: false });
  const writer = await createWriter(fs, { segmentBytes });
  await write(writer);
  await writer.close();
  return fs;
}

async function saveSnapshotFile(fs: MemoryFs, index: number, term = 1): Promise<void> {
  await fs.makeDirectory(SNAP, { recursive: true });
  const data = Buffer.from('{}');
  await new Snapshotter(fs, SNAP, { clock: new ManualClock() }).save({
    ...snapshot(index, term),
    data,
  });
}

describe('wal verify', () => {
  it('takes replaced entries, snapshots of its own and of the leader', async () => {
    const fs = await written(async (writer) => {
      await writer.save(state(1, 3), entries(1, 6));
      await writer.saveSnapshot(snapshot(3));
      await writer.save(state(2, 4), entries(5, 7, 2));
      await writer.saveSnapshot(snapshot(30, 3));
      await writer.save(state(3, 30), entries(31, 33, 3));
    });
    await saveSnapshotFile(fs, 30, 3);
    const verdict = await inspectLog(fs, '/');
    expect(verdict).toMatchObject({ isSound: true, torn: undefined, problems: [] });
    expect(verdict.extent).toEqual({ entries: 3, firstIndex: 31, lastIndex: 33, lastTerm: 3 });
    expect(verdict.snapshots).toEqual([
      { name: '0000000000000003-000000000000001e.snap', isRecorded: true, fault: undefined },
    ]);
  });

  it.each([
    ['a gap', 'entry 5 follows entry 3', entries(5, 5), state(1, 2)],
    [
      'a committed entry replaced',
      'entry 2 takes the place of a committed one: 3 are',
      entries(2, 2),
      state(1, 3),
    ],
    ['a term that falls', 'entry 4 is of term 1, the one before of 2', entries(4, 4), state(2, 3)],
  ])('names the record of %s', async (_, reason, added, before) => {
    const term = before.term;
    const fs = await written(async (writer) => {
      await writer.save(before, entries(1, 3, term));
      await writer.save(undefined, added);
    });
    const { isSound, damage, extent } = await inspectLog(fs, WAL);
    expect(isSound).toBe(false);
    // crc, metadata, snapshot, three entries, state.
    expect(damage).toMatchObject({ reason, record: 8 });
    expect(extent.lastIndex).toBe(3);
  });

  it('says if the end of what was committed is missing', async () => {
    const fs = await written((writer) => writer.save(state(1, 9), entries(1, 3)));
    expect(await inspectLog(fs, WAL)).toMatchObject({
      isSound: false,
      damage: undefined,
      problems: ['entries up to 9 are committed, but the log ends at 3'],
    });
  });

  it('misses a file, and records that were cut off at the end of one before the last', async () => {
    const write = async (writer: WalWriter) => {
      for (let at = 1; at <= 4; at++) await writer.save(state(1, 0), entries(at, at));
    };
    const missing = await written(write, 1);
    const names = await missing.readDirectory(WAL);
    await missing.remove(`${WAL}/${names[2]}`);
    const { damage, extent } = await inspectLog(missing, WAL);
    expect(damage).toMatchObject({ file: names[3], record: 1 });
    expect(damage?.reason).toContain('is missing');
    expect(extent.lastIndex).toBe(2);

    const short = await written(write, 1);
    const path = `${WAL}/${names[1]}`;
    const bytes = await fileBytes(short, path);
    // The last record of the file: an entry of 40 bytes and its frame.
    for (let cut = 8; cut < 64; cut += 8) {
      await putFile(short, path, bytes.subarray(0, bytes.length - cut));
      expect((await inspectLog(short, WAL)).isSound).toBe(false);
    }
  });

  it('looks at the .snap files that the log names', async () => {
    const fs = await written(async (writer) => {
      await writer.save(state(1, 8), entries(1, 8));
      await writer.saveSnapshot(snapshot(6));
    });
    await saveSnapshotFile(fs, 6);
    await saveSnapshotFile(fs, 7);
    const name = '0000000000000001-0000000000000006.snap';
    expect((await inspectLog(fs, '/')).snapshots).toEqual([
      { name: '0000000000000001-0000000000000007.snap', isRecorded: false, fault: undefined },
      { name, isRecorded: true, fault: undefined },
    ]);
    const bytes = await fileBytes(fs, `${SNAP}/${name}`);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await putFile(fs, `${SNAP}/${name}`, bytes);
    const verdict = await inspectLog(fs, '/');
    expect(verdict.problems).toEqual([`${name}: snap: crc mismatch`]);
    expect(await fs.readDirectory(SNAP)).toContain(name);
  });

  it('asks for a snapshot where the beginning of the log was removed', async () => {
    const fs = await written(async (writer) => {
      for (let at = 1; at <= 6; at++) await writer.save(state(1, at), entries(at, at));
      await writer.saveSnapshot(snapshot(5));
    }, 1);
    for (const name of (await fs.readDirectory(WAL)).slice(0, 4)) await fs.remove(`${WAL}/${name}`);
    await fs.makeDirectory(SNAP, { recursive: true });
    const text = 'the log begins with entry 5, but no .snap file holds what comes before';
    expect((await inspectLog(fs, '/')).problems).toEqual([text]);
    await saveSnapshotFile(fs, 5);
    expect((await inspectLog(fs, '/')).problems).toEqual([]);
  });

  it('says if there is no log', async () => {
    const fs = new MemoryFs({ tracked: false });
    await expect(inspectLog(fs, '/nowhere')).rejects.toThrow(NoLogError);
    await fs.makeDirectory('/empty');
    await expect(inspectLog(fs, '/empty')).rejects.toThrow(
      'there is no write-ahead log in "/empty"',
    );
  });
});
