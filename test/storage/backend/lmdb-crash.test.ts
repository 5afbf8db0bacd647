import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { buildChildProgram, type ChildProgram } from '../../support/child-program.js';
import { tempDir } from '../../support/temp-dir.js';
import { KEPT_ROWS, rowKey } from './lmdb-child-rows.js';

/** Opens what the child left and checks that it is the state of one moment; returns which. */
async function checkRows(directory: string, valueBytes: number): Promise<number> {
  const options = { directory, clock: new ManualClock(), checkWholeFile: true };
  const backend = await LmdbBackend.open(options);
  const index = Number(backend.get('meta', Buffer.from('consistent_index'))?.toString() ?? 0);
  const expected: string[] = [];
  for (let n = Math.max(1, index - KEPT_ROWS + 1); n <= index; n++) {
    expected.push(rowKey(n).toString('hex'));
  }
  for (const bucket of ['key', 'lease'] as const) {
    const rows = [...backend.range(bucket, Buffer.alloc(0))];
    expect(rows.map(([key]) => key.toString('hex'))).toEqual(expected);
    for (const [key, value] of rows) {
      expect(value.equals(Buffer.alloc(valueBytes, key.readInt32BE(4) % 251))).toBe(true);
    }
  }
  await backend.close();
  return index;
}

describe('LmdbBackend in a process that dies', () => {
  let program: ChildProgram;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    program = await buildChildProgram(join(import.meta.dirname, 'lmdb-child.ts'));
  });

  afterEach(() => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
    }
  });

  afterAll(() => program.remove());

  const run = (
    command: string,
    args: string[],
  ): { child: ChildProcess; lines: AsyncIterable<string> } => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    if (child.stdout === null) {
      throw new Error('the child has no output');
    }
    return { child, lines: createInterface({ input: child.stdout }) };
  };

  /** Kills the child again and again, later and later in its life. */
  async function killRepeatedly(rounds: number, ...mode: string[]): Promise<number> {
    const directory = await tempDir();
    let before = 0;
    let defragmentations = 0;
    for (let round = 0; round < rounds; round++) {
      const { child, lines } = run(process.execPath, [program.path, directory, '300', ...mode]);
      let durable = before;
      for await (const line of lines) {
        const [word, number] = line.split(' ');
        if (word === 'started') {
          expect(Number(number)).toBe(before);
        } else if (word === 'committed') {
          durable = Number(number);
        } else {
          defragmentations++;
        }
        if (durable >= before + 700 + round * 350) {
          child.kill('SIGKILL');
        }
      }
      const index = await checkRows(directory, 300);
      expect(index).toBeGreaterThanOrEqual(durable);
      expect(durable).toBeGreaterThan(before);
      before = index;
    }
    return defragmentations;
  }

  it('leaves the state of one batch when it is killed', { timeout: 60_000 }, async () => {
    await killRepeatedly(6);
  });

  it('does so while it defragments, too', { timeout: 60_000 }, async () => {
    expect(await killRepeatedly(8, 'defragment')).toBeGreaterThan(0);
  });

  it.skipIf(process.platform === 'win32')(
    'reports a full disk, stops committing, and keeps the last batch',
    { timeout: 60_000 },
    async () => {
      const directory = await tempDir();
      // A limit on the size of files fails a write as a full disk does, with another code.
      const limited = `trap '' XFSZ; ulimit -f 8000; exec "$0" "$@"`;
      const { child, lines } = run('/bin/sh', [
        '-c',
        limited,
        process.execPath,
        program.path,
        directory,
        '5000',
      ]);
      const exit = once(child, 'exit');
      let fatal: Record<string, unknown> | undefined;
      let durable = 0;
      for await (const line of lines) {
        if (line.startsWith('fatal ')) {
          fatal = JSON.parse(line.slice('fatal '.length)) as Record<string, unknown>;
        } else if (line.startsWith('committed ')) {
          durable = Number(line.slice('committed '.length));
        }
      }
      expect(await exit).toEqual([0, null]);
      expect(fatal?.message).toMatch(/^commit failed: /);
      expect(fatal).toEqual({
        message: fatal?.message,
        later: fatal?.message,
        readable: true,
        closed: 'rejected',
      });
      expect(durable).toBeGreaterThan(0);
      expect(await checkRows(directory, 5000)).toBeGreaterThanOrEqual(durable);
    },
  );
});
