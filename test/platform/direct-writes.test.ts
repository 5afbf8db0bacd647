import type * as NodeFs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeFs } from '../../src/platform/node-fs.js';
import { tempDir } from '../support/temp-dir.js';

/** The system takes at most this many bytes of a write on this thread. */
const APPETITE = 7;
/** More than a disk needs to prove fast. */
const TRUST_WRITES = 20;
const BLOCKING = { mayBlock: true };

const direct = vi.hoisted(() => ({ writes: 0 }));

vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof NodeFs>();
  return {
    ...real,
    writeSync: (fd: number, bytes: Buffer, at: number, count: number, to: number) => {
      direct.writes++;
      return real.writeSync(fd, bytes, at, Math.min(count, APPETITE), to);
    },
  };
});

// Whatever this disk does, its writes take no time.
beforeEach(() => {
  direct.writes = 0;
  vi.spyOn(performance, 'now').mockReturnValue(0);
});
afterEach(() => vi.restoreAllMocks());

async function openTrusted(durableWrites: boolean) {
  const path = join(await tempDir(), 'f');
  const file = await nodeFs.open(path, { read: true, write: true, create: true, durableWrites });
  for (let count = 0; count < TRUST_WRITES; count++) await file.write([Buffer.from('x')], 0);
  return file;
}

describe.skipIf(process.platform !== 'linux')('durable writes that may block', () => {
  it('go to a fast disk from this thread, whole', async () => {
    const file = await openTrusted(true);
    expect(direct.writes).toBe(0);
    await file.write([Buffer.from('0123456789')], 3, BLOCKING);
    expect(direct.writes).toBe(1);
    expect((await file.read(3, 100)).toString()).toBe('0123456789');
    await file.close();
  });

  it('go another way if they are long, in parts, or not durable', async () => {
    const file = await openTrusted(true);
    await file.write([Buffer.alloc(4097, 'l')], 0, BLOCKING);
    await file.write([Buffer.from('a'), Buffer.from('b')], 4097, BLOCKING);
    expect((await file.read(0, 5000)).toString()).toBe(`${'l'.repeat(4097)}ab`);
    await file.close();
    const plain = await openTrusted(false);
    await plain.write([Buffer.from('c')], 0, BLOCKING);
    await plain.close();
    expect(direct.writes).toBe(0);
  });

  it('go another way until the disk proves fast', async () => {
    const path = join(await tempDir(), 'f');
    const file = await nodeFs.open(path, { write: true, create: true, durableWrites: true });
    await file.write([Buffer.from('x')], 0, BLOCKING);
    expect(direct.writes).toBe(0);
    await file.close();
  });

  it('reject as others do', async () => {
    const file = await nodeFs.open('/dev/full', { write: true, durableWrites: true });
    for (let count = 0; count < TRUST_WRITES; count++) await file.write([], 0);
    await expect(file.write([Buffer.from('x')], 0, BLOCKING)).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    expect(direct.writes).toBe(1);
    await file.close();
  });
});
