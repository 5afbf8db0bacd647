import type * as NodeFs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { nodeFs } from '../../src/platform/node-fs.js';
import { tempDir } from '../support/temp-dir.js';

/** The system takes at most this many bytes of a write. */
const APPETITE = 7;

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof NodeFs>();
  type Callback = (error: NodeJS.ErrnoException | null, written: number) => void;
  return {
    ...real,
    write: (fd: number, bytes: Buffer, at: number, count: number, to: number, done: Callback) =>
      real.write(fd, bytes, at, Math.min(count, APPETITE), to, done),
    writev: (fd: number, buffers: Buffer[], to: number, done: Callback) =>
      real.writev(fd, [Buffer.concat(buffers).subarray(0, APPETITE)], to, done),
  };
});

describe('nodeFs', () => {
  it('asks again until the system has taken all bytes', async () => {
    const path = join(await tempDir(), 'f');
    const file = await nodeFs.open(path, { read: true, write: true, create: true });
    const parts = ['ab', '', 'cdefg', 'h', 'ijklmnopqrstuvw', 'xyz'].map((part) =>
      Buffer.from(part),
    );
    await file.write(parts, 3);
    await file.write([Buffer.from('0123456789')], 29);
    expect((await file.read(3, 100)).toString()).toBe('abcdefghijklmnopqrstuvwxyz0123456789');
    await file.close();
  });

  it.skipIf(process.platform !== 'linux')('reports a full disk', async () => {
    const file = await nodeFs.open('/dev/full', { write: true, durableWrites: true });
    await expect(file.write([Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'ENOSPC' });
    await file.close();
  });
});
