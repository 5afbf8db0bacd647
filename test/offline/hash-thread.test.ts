import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { provesTrailingHash } from '../../src/offline/hash-thread.js';
import { SnapshotChecksumError, snapshotStatus } from '../../src/offline/snapshot-status.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { binaryPath } from '../support/binary.js';
import { tempDir } from '../support/temp-dir.js';
import { bboltImage } from './support.js';

/** The program of the thread, as built. */
const program = new URL('../dist/offline/hash-worker.js', pathToFileURL(binaryPath('etcdctl')));
const never = new AbortController().signal;

async function snapshot(change: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<string> {
  const image = bboltImage({ meta: [[Buffer.from('key'), Buffer.alloc(3_000_000, 1)]] });
  const hash = createHash('sha256').update(image).digest();
  const path = join(await tempDir(), 'snapshot.db');
  await writeFile(path, change(Buffer.concat([image, hash])));
  return path;
}

const flipped = (bytes: Buffer): Buffer => {
  bytes.writeUInt8(0xff, bytes.length - 100);
  return bytes;
};

describe('the thread that checks the hash of a snapshot', () => {
  it('proves a right hash', async () => {
    expect(await provesTrailingHash(program, await snapshot(), never)).toBe(true);
  });

  it.each([
    ['a wrong hash', () => snapshot(flipped)],
    ['no hash', () => snapshot((bytes) => bytes.subarray(0, -32))],
    ['a file that was cut', () => snapshot((bytes) => bytes.subarray(0, -40))],
    ['no file', async () => join(await tempDir(), 'none.db')],
  ])('proves nothing of %s', async (_, path) => {
    expect(await provesTrailingHash(program, await path(), never)).toBe(false);
  });

  it('proves nothing once it is ended, or where it cannot start', async () => {
    const path = await snapshot();
    const ended = new AbortController();
    const proof = provesTrailingHash(program, path, ended.signal);
    ended.abort();
    expect(await proof).toBe(false);
    expect(await provesTrailingHash(program, path, ended.signal)).toBe(false);
    const none = new URL('../dist/offline/none.js', program);
    expect(await provesTrailingHash(none, path, never)).toBe(false);
  });

  it('leaves it to the reader of the snapshot to say what is wrong', async () => {
    const provesHash = (path: string, _bytes: number, signal: AbortSignal) =>
      provesTrailingHash(program, path, signal);
    const sound = await snapshot();
    expect(await snapshotStatus(nodeFs, sound, { provesHash })).toEqual(
      await snapshotStatus(nodeFs, sound),
    );
    const damaged = await snapshot((bytes) => {
      bytes.writeUInt8(0xff, bytes.length - 1);
      return bytes;
    });
    await expect(snapshotStatus(nodeFs, damaged, { provesHash })).rejects.toThrow(
      SnapshotChecksumError,
    );
  });
});
