import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A new empty directory, and the means to remove it with all that is in it. */
export interface TempDir {
  readonly path: string;
  remove(): Promise<void>;
}

/** For hooks (`beforeAll`), where the caller removes the directory itself. */
export async function makeTempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), 'etcdkit-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** The path of a new empty directory that is removed when the running test ends. */
export async function tempDir(): Promise<string> {
  const directory = await makeTempDir();
  onTestFinished(() => directory.remove());
  return directory.path;
}
