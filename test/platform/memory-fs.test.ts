import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FileHandle } from '../../src/platform/fs.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';

const SECTOR = 512;
const modes = fc.constantFrom('keep', 'lose', 'tear', 'garble' as const);

async function openFile(fs: MemoryFs, path: string): Promise<FileHandle> {
  return fs.open(path, { read: true, write: true, create: true });
}

async function bytesOf(fs: MemoryFs, path: string): Promise<Buffer> {
  const file = await fs.open(path, { read: true });
  return file.read(0, 1 << 22);
}

describe('MemoryFs power loss', () => {
  it('keeps what was synced, whatever else happens', async () => {
    await fc.assert(
      fc.asyncProperty(modes, fc.integer(), fc.nat(5000), async (mode, seed, length) => {
        const fs = new MemoryFs();
        const file = await openFile(fs, '/f');
        await fs.syncDirectory('/');
        const synced = seededRandom(seed).bytes(length + 1);
        await file.write([synced], 100);
        await file.datasync();
        await file.write([Buffer.alloc(3000, 0xee)], 100 + synced.length);
        const after = await bytesOf(fs.crash(seededRandom(seed), mode), '/f');
        expect(after.subarray(100, 100 + synced.length).equals(synced)).toBe(true);
      }),
    );
  });

  it('loses the unsynced tail, or tears it by sectors', async () => {
    const fs = new MemoryFs();
    const file = await openFile(fs, '/f');
    await fs.syncDirectory('/');
    await file.truncate(1 << 20);
    await file.datasync();
    await file.write([Buffer.alloc(100 * SECTOR, 0xaa)], 0);
    const image = (mode: 'lose' | 'tear') => bytesOf(fs.crash(seededRandom(1), mode), '/f');
    expect((await image('lose')).every((byte) => byte === 0)).toBe(true);
    const torn = await image('tear');
    const kinds = new Set<string>();
    for (let at = 0; at < 100 * SECTOR; at += SECTOR) {
      const sector = torn.subarray(at, at + SECTOR);
      expect(sector.every((byte) => byte === sector[0])).toBe(true);
      kinds.add(String(sector[0]));
    }
    expect([...kinds].sort()).toEqual(['0', '170']);
  });

  it('garbles only bytes that were not synced', async () => {
    const fs = new MemoryFs();
    const file = await openFile(fs, '/f');
    await fs.syncDirectory('/');
    await file.write([Buffer.alloc(300, 1)], 0);
    await file.datasync();
    await file.write([Buffer.alloc(64 * SECTOR, 2)], 300);
    const after = await bytesOf(fs.crash(seededRandom(7), 'garble'), '/f');
    expect(after.subarray(0, 300).every((byte) => byte === 1)).toBe(true);
    expect(after.subarray(300).some((byte) => byte !== 0 && byte !== 2)).toBe(true);
  });

  it('forgets names whose directory was not synced', async () => {
    const fs = new MemoryFs();
    await fs.makeDirectory('/d');
    await fs.syncDirectory('/');
    const file = await openFile(fs, '/d/f');
    await file.write([Buffer.from('x')], 0);
    await file.sync();
    expect(await fs.crash(seededRandom(1), 'lose').readDirectory('/d')).toEqual([]);
  });

  it('renames whole or not at all', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const fs = new MemoryFs();
      await openFile(fs, '/old');
      await openFile(fs, '/target');
      await fs.syncDirectory('/');
      await fs.rename('/old', '/target');
      await openFile(fs, '/later');
      outcomes.add((await fs.crash(seededRandom(seed), 'tear').readDirectory('/')).join());
    }
    expect([...outcomes].sort()).toEqual(['later,target', 'old,target', 'target']);
  });

  it('ends the dead machine and its open files', async () => {
    const fs = new MemoryFs();
    const file = await openFile(fs, '/f');
    const next = fs.crash(seededRandom(1), 'keep');
    await expect(file.write([Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'EIO' });
    await expect(fs.readDirectory('/')).rejects.toMatchObject({ code: 'EIO' });
    expect(await next.readDirectory('/')).toEqual(['f']);
  });

  it('replays from its seed', async () => {
    const run = async (): Promise<Buffer> => {
      const fs = new MemoryFs();
      const file = await openFile(fs, '/f');
      await fs.syncDirectory('/');
      for (let at = 0; at < 40; at++) await file.write([Buffer.alloc(700, at + 1)], at * 650);
      return bytesOf(fs.crash(seededRandom(11), 'garble'), '/f');
    };
    expect(await run()).toEqual(await run());
  });
});

describe('MemoryFs faults', () => {
  it('fills up part way through a write', async () => {
    const fs = new MemoryFs();
    const file = await openFile(fs, '/f');
    await file.write([Buffer.alloc(10)], 0);
    fs.limitSpace(8192);
    await expect(file.write([Buffer.alloc(20_000, 1)], 10)).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    expect(await file.size()).toBe(3 * 4096);
    await file.write([Buffer.from('fits still')], 0);
    await fs.remove('/f');
    await (await openFile(fs, '/g')).write([Buffer.alloc(4096)], 0);
  });

  it('fails the chosen operation once', async () => {
    const fs = new MemoryFs();
    const file = await openFile(fs, '/f');
    fs.failNext({ operation: 'sync', code: 'EIO', skip: 1, pathContains: 'f' });
    await file.datasync();
    await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO', path: '/f' });
    await file.datasync();
  });

  it('paces operations', async () => {
    const seen: string[] = [];
    const fs = new MemoryFs({ pace: async (operation, path) => void seen.push(operation + path) });
    const file = await fs.open('/f', { write: true, create: true, durableWrites: true });
    await file.write([Buffer.from('x')], 0);
    expect(seen).toEqual(['open/f', 'write/f', 'sync/f']);
  });
});
