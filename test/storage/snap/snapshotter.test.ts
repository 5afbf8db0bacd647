import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { SnapError } from '../../../src/storage/snap/snap-error.js';
import {
  decodeSnapshotFile,
  encodeSnapshotFile,
  type RaftSnapshot,
  snapshotDatabaseName,
  snapshotFileName,
} from '../../../src/storage/snap/snapshot-file.js';
import { Snapshotter } from '../../../src/storage/snap/snapshotter.js';
import { fileBytes, putFile } from '../wal/support.js';

const SNAP = '/member/snap';

function snapshot(index: number, term: number): RaftSnapshot {
  return {
    data: Buffer.from(`{"at":${index}}`),
    index,
    term,
    confState: {
      voters: [0x8027cae8a0e355ean],
      learners: [3n],
      votersOutgoing: [],
      learnersNext: [],
      autoLeave: false,
    },
  };
}

async function setup(): Promise<{ fs: MemoryFs; snapshotter: Snapshotter }> {
  const fs = new MemoryFs();
  await fs.makeDirectory(SNAP, { recursive: true });
  await fs.syncDirectory('/');
  await fs.syncDirectory('/member');
  return { fs, snapshotter: new Snapshotter(fs, SNAP, { clock: new ManualClock() }) };
}

describe('.snap files', () => {
  it('have the layout of etcd', () => {
    const bytes = encodeSnapshotFile({
      ...snapshot(11, 2),
      data: Buffer.from('{}'),
      confState: { ...snapshot(11, 2).confState, learners: [] },
    });
    expect(bytes.subarray(0, 1).toString('hex')).toBe('08');
    expect(bytes.toString('hex')).toMatch(
      /12190a027b7d12130a0d08eaab8d878addf29380012800100b1802$/,
    );
    expect(snapshotFileName(2, 0xc9)).toBe('0000000000000002-00000000000000c9.snap');
    expect(snapshotDatabaseName(0xc9)).toBe('00000000000000c9.snap.db');
  });

  it('round-trip, and refuse every cut and every flipped bit', () => {
    const original = snapshot(7, 3);
    const bytes = encodeSnapshotFile(original);
    expect(decodeSnapshotFile(bytes)).toEqual(original);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSnapshotFile(bytes.subarray(0, length))).toThrow(SnapError);
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // Some bits of a varint lie beyond the 32 of a CRC and change nothing.
      try {
        expect(decodeSnapshotFile(flipped), `bit ${bit}`).toEqual(original);
      } catch (error) {
        expect(error, `bit ${bit}`).toBeInstanceOf(SnapError);
      }
    }
    expect(() => decodeSnapshotFile(Buffer.alloc(0))).toThrow('snap: empty snapshot');
  });
});

describe('Snapshotter', () => {
  it('loads the newest by term, then index', async () => {
    const { snapshotter } = await setup();
    for (const [index, term] of [
      [9, 1],
      [20, 2],
      [15, 2],
    ] as const) {
      await snapshotter.save(snapshot(index, term));
    }
    expect(await snapshotter.load()).toEqual(snapshot(20, 2));
  });

  it('loads only what the log vouches for', async () => {
    const { snapshotter } = await setup();
    for (const index of [5, 10, 15]) await snapshotter.save(snapshot(index, 1));
    const points = [
      { index: 5, term: 1 },
      { index: 10, term: 1 },
      { index: 15, term: 2 },
    ];
    expect((await snapshotter.loadNewestOf(points)).index).toBe(10);
    await expect(snapshotter.loadNewestOf([])).rejects.toThrow('snap: no available snapshot');
  });

  it('sets broken files aside and takes the one before', async () => {
    const { fs, snapshotter } = await setup();
    await snapshotter.save(snapshot(5, 1));
    await snapshotter.save(snapshot(6, 1));
    await putFile(fs, `${SNAP}/${snapshotFileName(1, 7)}`, Buffer.from('no snapshot'));
    await putFile(fs, `${SNAP}/${snapshotFileName(1, 8)}`, Buffer.alloc(0));
    const half = await fileBytes(fs, `${SNAP}/${snapshotFileName(1, 6)}`);
    await putFile(fs, `${SNAP}/${snapshotFileName(1, 6)}`, half.subarray(0, half.length - 1));
    expect(await snapshotter.load()).toEqual(snapshot(5, 1));
    expect(await snapshotter.names()).toEqual([snapshotFileName(1, 5)]);
    const broken = (await fs.readDirectory(SNAP)).filter((name) => name.endsWith('.snap.broken'));
    expect(broken).toHaveLength(3);
  });

  it('saves nothing for index 0, and nothing half', async () => {
    const { fs, snapshotter } = await setup();
    await snapshotter.save(snapshot(0, 0));
    fs.failNext({ operation: 'sync', code: 'ENOSPC' });
    await expect(snapshotter.save(snapshot(5, 1))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await fs.readDirectory(SNAP)).toEqual([]);
    await expect(snapshotter.load()).rejects.toMatchObject({ fault: 'none-available' });
  });

  it('has made file and name durable when it says so', async () => {
    const { fs, snapshotter } = await setup();
    await snapshotter.save(snapshot(5, 1));
    const after = fs.crash(seededRandom(1), 'lose');
    const reborn = new Snapshotter(after, SNAP, { clock: new ManualClock() });
    expect(await reborn.load()).toEqual(snapshot(5, 1));
  });

  it('removes what was left half done, and finds received databases', async () => {
    const { fs, snapshotter } = await setup();
    for (const name of ['db', 'db.tmp.123', 'tmp456', snapshotDatabaseName(9)]) {
      await putFile(fs, `${SNAP}/${name}`, Buffer.from('x'));
    }
    await snapshotter.names();
    expect(await fs.readDirectory(SNAP)).toEqual([snapshotDatabaseName(9), 'db', 'tmp456']);
    await snapshotter.removeTemporaries();
    expect(await fs.readDirectory(SNAP)).toEqual([snapshotDatabaseName(9), 'db']);
    expect(await snapshotter.databasePath(9)).toBe(`${SNAP}/${snapshotDatabaseName(9)}`);
    await expect(snapshotter.databasePath(8)).rejects.toThrow("snap: snapshot file doesn't exist");
  });
});
