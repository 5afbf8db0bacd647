import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { makeDirectories, memberDirectories } from '../../../src/server/bootstrap/directories.js';

const directories = memberDirectories('/data', '');

async function diskWith(...names: string[]): Promise<MemoryFs> {
  const fs = new MemoryFs();
  await fs.makeDirectory(directories.snap, { recursive: true });
  for (const name of names) {
    const file = await fs.open(`${directories.snap}/${name}`, { write: true, create: true });
    await file.close();
  }
  return fs;
}

describe('makeDirectories', () => {
  it('makes what is missing', async () => {
    const fs = new MemoryFs();
    await makeDirectories(fs, directories);
    expect((await fs.stat('/data/member/snap'))?.isDirectory).toBe(true);
    expect(await fs.readDirectory('/data/member/snap')).toEqual([]);
  });

  it('leaves the directory of another etcd alone and says so', async () => {
    const fs = await diskWith('db');
    await expect(makeDirectories(fs, directories)).rejects.toThrow(
      'the data directory belongs to another etcd (/data/member/snap/db)',
    );
    expect(await fs.readDirectory('/data/member/snap')).toEqual(['db']);
  });

  it('takes a directory of our own, whatever else is in it', async () => {
    const fs = await diskWith('db', 'db.lmdb');
    await makeDirectories(fs, directories);
  });
});
