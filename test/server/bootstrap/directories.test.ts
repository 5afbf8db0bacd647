import { describe, expect, it } from 'vitest';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { makeDirectories, memberDirectories } from '../../../src/server/bootstrap/directories.js';

const directories = memberDirectories('/data', '');

describe('makeDirectories', () => {
  it('makes what is missing', async () => {
    const fs = new MemoryFs();
    await makeDirectories(fs, directories);
    expect((await fs.stat('/data/member/snap'))?.isDirectory).toBe(true);
    expect(await fs.readDirectory('/data/member/snap')).toEqual([]);
  });
});
