import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { isFileLocked } from '../../src/platform/kernel-locks.js';
import { tempDir } from '../support/temp-dir.js';

const FLOCK = '/usr/bin/flock';

describe('isFileLocked', () => {
  it('knows of no lock of a file that is free, or absent', async () => {
    const path = join(await tempDir(), 'db');
    expect(await isFileLocked(path)).toBe(false);
    await writeFile(path, '');
    expect(await isFileLocked(path)).toBe(false);
  });

  it.skipIf(!existsSync('/proc/locks') || !existsSync(FLOCK))(
    'sees the lock of another process, as long as it is exclusive and there',
    async () => {
      const path = join(await tempDir(), 'db');
      await writeFile(path, '');
      const hold = async (mode: string) => {
        const child = spawn(FLOCK, [mode, path, 'sh', '-c', 'echo held; read wait'], {
          stdio: ['pipe', 'pipe', 'ignore'],
        });
        onTestFinished(() => void child.stdin.end());
        await once(child.stdout, 'data');
        return child;
      };
      const shared = await hold('-s');
      expect(await isFileLocked(path)).toBe(false);
      shared.stdin.end();
      await once(shared, 'exit');
      const exclusive = await hold('-x');
      expect(await isFileLocked(path)).toBe(true);
      exclusive.stdin.end();
      await once(exclusive, 'exit');
      await vi.waitFor(async () => expect(await isFileLocked(path)).toBe(false));
    },
  );
});
