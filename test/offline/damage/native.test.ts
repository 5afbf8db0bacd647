import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildChildProgram, type ChildProgram } from '../../support/child-program.js';
import { tempDir } from '../../support/temp-dir.js';
import { filesFor, SEED } from './budget.js';
import { ourLmdbDatabase } from './sound-files.js';
import { Tally } from './tally.js';

const TIMEOUT = 300_000;
const OPERATION = 'open, read, write';

interface Ended {
  readonly code: number | string;
  readonly lines: readonly string[];
  readonly stderr: string;
}

describe('a database of ours with a damaged leaf page, opened by LMDB', () => {
  const tally = new Tally('leaf pages, in a process of their own');
  let program: ChildProgram;

  beforeAll(async () => {
    program = await buildChildProgram(join(import.meta.dirname, 'native-child.ts'));
  });

  afterAll(async () => {
    console.log(String(tally));
    await program.remove();
  });

  function run(args: readonly string[]): Promise<Ended> {
    const options = { timeout: TIMEOUT, maxBuffer: 64 * 1024 * 1024 };
    return new Promise((resolve) => {
      execFile(process.execPath, [program.path, ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : (error.signal ?? error.code ?? 'unknown');
        resolve({ code, lines: stdout.trimEnd().split('\n'), stderr });
      });
    });
  }

  it.each([true, false])(
    'is refused or read rightly, and never ends the process (defragmented: %s)',
    async (isDefragmented) => {
      const directory = await tempDir();
      const sound = join(directory, 'sound.lmdb');
      await writeFile(sound, (await ourLmdbDatabase(isDefragmented)).bytes);
      const count = filesFor(0.025);
      const { code, lines, stderr } = await run([sound, directory, `${count}`, `${SEED}`]);
      expect({ code, last: lines.at(-1), stderr }).toEqual({ code: 0, last: 'end', stderr: '' });
      expect(lines.filter((line) => line.startsWith('wrong'))).toEqual([]);
      const answers = lines.filter((line) => line.startsWith('answer '));
      expect(answers).toHaveLength(count);
      tally.files += count;
      for (const line of answers) tally.count(OPERATION, line.slice('answer '.length));
      expect(tally.of(OPERATION, 'LmdbFileError')).toBeGreaterThan(0);
    },
    TIMEOUT,
  );
});
