import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { purgeOldest, removeSnapshotDatabasesBefore } from '../../../src/storage/wal/purge.js';
import { createWriter, entries, putFile, readEntries, state, WAL } from './support.js';

async function directoryWith(...names: string[]): Promise<MemoryFs> {
  const fs = new MemoryFs();
  await fs.makeDirectory('/d');
  for (const name of names) await putFile(fs, `/d/${name}`, Buffer.from('x'));
  return fs;
}

describe('purgeOldest', () => {
  it('keeps the newest, and leaves other suffixes alone', async () => {
    const names = ['1.snap', '2.snap', '3.snap', '1.snap.db', '1.snap.broken', 'db'];
    const fs = await directoryWith(...names);
    expect(await purgeOldest(fs, '/d', { suffix: 'snap', max: 2 })).toEqual(['1.snap']);
    expect(await purgeOldest(fs, '/d', { suffix: 'snap', max: 2 })).toEqual([]);
    expect(await purgeOldest(fs, '/d', { suffix: 'snap.db', max: 1 })).toEqual([]);
    expect(await fs.readDirectory('/d')).toHaveLength(5);
  });

  it('keeps all if the bound is 0', async () => {
    const fs = await directoryWith('1.wal', '2.wal');
    expect(await purgeOldest(fs, '/d', { suffix: 'wal', max: 0 })).toEqual([]);
  });

  it('stops at the first file that is held', async () => {
    const fs = await directoryWith('1.wal', '2.wal', '3.wal', '4.wal');
    const isHeld = (name: string): boolean => name === '2.wal';
    expect(await purgeOldest(fs, '/d', { suffix: 'wal', max: 1, isHeld })).toEqual(['1.wal']);
  });

  it('never takes a segment that replay still needs', async () => {
    const fs = new MemoryFs();
    const writer = await createWriter(fs, { segmentBytes: 1 });
    for (let at = 1; at <= 6; at++) await writer.save(state(1, 0), entries(at, at));
    const options = { suffix: 'wal', max: 2, isHeld: (name: string) => writer.holds(name) };
    expect(await purgeOldest(fs, WAL, options)).toEqual([]);
    expect(await readEntries(fs)).toHaveLength(6);
    writer.releaseTo(4);
    const purged = await purgeOldest(fs, WAL, options);
    expect(purged.map((name) => Number(name.slice(0, 16)))).toEqual([0, 1]);
    await writer.close();
  });
});

describe('removeSnapshotDatabasesBefore', () => {
  it('removes databases of older snapshots only', async () => {
    const hex = (index: number): string => index.toString(16).padStart(16, '0');
    const fs = await directoryWith(
      `${hex(9)}.snap.db`,
      `${hex(10)}.snap.db`,
      `${hex(11)}.snap.db`,
      'db',
      'tmp1.snap.db',
    );
    expect(await removeSnapshotDatabasesBefore(fs, '/d', 10)).toEqual([`${hex(9)}.snap.db`]);
  });
});
