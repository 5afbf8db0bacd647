import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Fs } from '../../src/platform/fs.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { tempDir } from '../support/temp-dir.js';

async function memory(): Promise<{ fs: Fs; root: string }> {
  const fs = new MemoryFs();
  await fs.makeDirectory('/data');
  return { fs, root: '/data' };
}

async function real(): Promise<{ fs: Fs; root: string }> {
  return { fs: nodeFs, root: await tempDir() };
}

async function create(fs: Fs, path: string, text: string): Promise<void> {
  const file = await fs.open(path, { write: true, create: true });
  await file.write([Buffer.from(text)], 0);
  await file.close();
}

async function content(fs: Fs, path: string): Promise<string> {
  const file = await fs.open(path, { read: true });
  const bytes = await file.read(0, 1 << 20);
  await file.close();
  return bytes.toString('latin1');
}

describe.each([
  ['nodeFs', real],
  ['MemoryFs', memory],
])('%s', (_name, make) => {
  it('writes vectors, leaves holes as zeros, reads short only at the end', async () => {
    const { fs, root } = await make();
    const file = await fs.open(join(root, 'f'), { read: true, write: true, exclusive: true });
    const parts = Array.from({ length: 3000 }, (_, at) => Buffer.from([at & 0xff]));
    await file.write(parts, 5000);
    await file.write([], 0);
    await file.datasync();
    await file.sync();
    expect(await file.size()).toBe(8000);
    expect(await file.read(4998, 4)).toEqual(Buffer.from([0, 0, 0, 1]));
    expect(await file.read(7999, 10)).toEqual(Buffer.from([2999 & 0xff]));
    expect(await file.read(9000, 10)).toHaveLength(0);
    await file.truncate(5001);
    await file.truncate(5003);
    expect(await file.read(5000, 10)).toEqual(Buffer.from([0, 0, 0]));
    await file.close();
    expect(await fs.stat(join(root, 'f'))).toEqual({ size: 5003, isDirectory: false, mode: 0o600 });
  });

  it('writes durably where asked to', async () => {
    const { fs, root } = await make();
    const path = join(root, 'f');
    const file = await fs.open(path, { write: true, create: true, durableWrites: true });
    await file.write([Buffer.from('one '), Buffer.from('two')], 0);
    await file.write([Buffer.from('!')], 7);
    await file.close();
    expect(await content(fs, path)).toBe('one two!');
  });

  it('lists, renames over, removes and stats', async () => {
    const { fs, root } = await make();
    await fs.makeDirectory(join(root, 'd/e'), { recursive: true, mode: 0o700 });
    await fs.makeDirectory(join(root, 'd/e'), { recursive: true });
    for (const name of ['b', 'a', 'é', 'Z']) await create(fs, join(root, 'd', name), name);
    expect(await fs.readDirectory(join(root, 'd'))).toEqual(['Z', 'a', 'b', 'e', 'é']);
    await fs.rename(join(root, 'd/a'), join(root, 'd/b'));
    expect(await content(fs, join(root, 'd/b'))).toBe('a');
    await fs.remove(join(root, 'd/b'));
    await fs.syncDirectory(join(root, 'd'));
    expect(await fs.stat(join(root, 'd/b'))).toBeUndefined();
    expect(await fs.stat(join(root, 'd/e'))).toMatchObject({ isDirectory: true, mode: 0o700 });
    await fs.rename(join(root, 'd'), join(root, 'moved'));
    expect(await fs.readDirectory(root)).toEqual(['moved']);
    await fs.removeTree(join(root, 'moved'));
    await fs.removeTree(join(root, 'moved'));
    expect(await fs.readDirectory(root)).toEqual([]);
  });

  it('gives the error codes of the system', async () => {
    const { fs, root } = await make();
    const path = join(root, 'f');
    await expect(fs.open(path, { read: true })).rejects.toMatchObject({ code: 'ENOENT' });
    await create(fs, path, 'x');
    await expect(fs.open(path, { write: true, exclusive: true })).rejects.toMatchObject({
      code: 'EEXIST',
    });
    await expect(fs.readDirectory(path)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(fs.readDirectory(join(root, 'no'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fs.remove(join(root, 'no'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fs.makeDirectory(join(root, 'no/d'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(fs.makeDirectory(root)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(fs.rename(join(root, 'no'), path)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await fs.stat(join(path, 'below'))).toBeUndefined();
  });

  it('keeps an open file readable after its name is gone', async () => {
    const { fs, root } = await make();
    await create(fs, join(root, 'f'), 'still here');
    const file = await fs.open(join(root, 'f'), { read: true });
    await fs.remove(join(root, 'f'));
    expect((await file.read(0, 100)).toString()).toBe('still here');
    await file.close();
  });
});
