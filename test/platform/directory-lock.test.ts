import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { acquireDirectoryLock, DirectoryLockedError } from '../../src/platform/directory-lock.js';
import { buildChildProgram, type ChildProgram } from '../support/child-program.js';
import { tempDir } from '../support/temp-dir.js';

let program: ChildProgram;

beforeAll(async () => {
  program = await buildChildProgram(join(import.meta.dirname, 'lock-taker.ts'));
});

afterAll(() => program.remove());

async function taker(directory: string): Promise<{ child: ChildProcess; outcome: unknown }> {
  const child = fork(program.path, [directory]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const [outcome] = await once(child, 'message');
  return { child, outcome };
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('acquireDirectoryLock', () => {
  it('refuses a second taker in the same process until the first gives up', async () => {
    const directory = await tempDir();
    const lock = await acquireDirectoryLock(directory);
    const refusal = await acquireDirectoryLock(directory).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DirectoryLockedError);
    expect(refusal).toMatchObject({ directory });
    await lock.release();
    await lock.release();
    const second = await acquireDirectoryLock(directory);
    await second.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('holds against another process and falls free when that is killed', async () => {
    const directory = await tempDir();
    const first = await taker(directory);
    expect(first.outcome).toBe('locked');
    await expect(acquireDirectoryLock(directory)).rejects.toThrow(directory);
    expect((await taker(directory)).outcome).toBe('DirectoryLockedError');
    await kill(first.child);
    expect(await readdir(directory)).not.toEqual([]);
    const lock = await acquireDirectoryLock(directory);
    expect(await readdir(directory)).toHaveLength(1);
    await lock.release();
  });

  it('holds while the holder is stopped and cannot answer', async () => {
    const directory = await tempDir();
    const { child } = await taker(directory);
    child.kill('SIGSTOP');
    await expect(acquireDirectoryLock(directory)).rejects.toBeInstanceOf(DirectoryLockedError);
  });

  it('lets exactly one of several processes take over what a killed one left', async () => {
    const directory = await tempDir();
    await kill((await taker(directory)).child);
    const takers = await Promise.all(Array.from({ length: 4 }, () => taker(directory)));
    const outcomes = takers.map((one) => one.outcome).sort();
    expect(outcomes).toEqual([...Array(3).fill('DirectoryLockedError'), 'locked']);
  });

  it('lets exactly one of many simultaneous takers through', async () => {
    for (let round = 0; round < 10; round++) {
      const directory = await tempDir();
      const results = await Promise.allSettled(
        Array.from({ length: 12 }, () => acquireDirectoryLock(directory)),
      );
      const locks = results.filter((result) => result.status === 'fulfilled');
      expect(locks).toHaveLength(1);
      await Promise.all(locks.map((lock) => lock.value.release()));
    }
  });

  it('works in a directory whose path is longer than a socket address', async () => {
    const directory = join(await tempDir(), 'a'.repeat(120), 'b'.repeat(120));
    await mkdir(directory, { recursive: true });
    const lock = await acquireDirectoryLock(directory);
    await expect(acquireDirectoryLock(directory)).rejects.toBeInstanceOf(DirectoryLockedError);
    expect((await taker(directory)).outcome).toBe('DirectoryLockedError');
    await lock.release();
    expect((await taker(directory)).outcome).toBe('locked');
  });

  it('reports a directory that is not there', async () => {
    const directory = join(await tempDir(), 'absent');
    await expect(acquireDirectoryLock(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
