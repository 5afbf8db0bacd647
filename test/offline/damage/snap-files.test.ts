import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { inspectLog } from '../../../src/offline/logs/verify-log.js';
import { verifyMember } from '../../../src/offline/verify-member.js';
import type { Fs } from '../../../src/platform/fs.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { decodeSnapshotFile } from '../../../src/storage/snap/snapshot-file.js';
import { fileBytes, putFile } from '../../storage/wal/support.js';
import { hasRealEtcd } from '../../support/real-etcd.js';
import { tempDir } from '../../support/temp-dir.js';
import { type Answer, answerOf } from './answers.js';
import { filesFor, SEED } from './budget.js';
import { damage } from './damage.js';
import {
  answerFor,
  type DirectoryOperation,
  exportIt,
  type Files,
  ourDirectory,
  serve,
  textOf,
} from './data-directories.js';
import { killedDirectory, realDirectory } from './foreign-directories.js';
import { dumpFrom, factsOf, SNAP_DIRECTORY, WAL_DIRECTORY } from './log-operations.js';
import { FIXTURE_VERSIONS, hasFixtures } from './sound-files.js';
import { Tally } from './tally.js';

const TIMEOUT = 600_000;
const MAX_FINDINGS = 20;

/** An answer for a directory whose file `name` is damaged. */
interface Operation {
  readonly run: (files: Files, name: string) => Promise<Answer>;
  /**
   * What a damaged file leads to: nothing, as it is not read; what there is without it; or a word
   * of it.
   */
  readonly expects: 'same' | 'without it' | 'error';
}

/** Of those that change nothing. */
function reading(work: (fs: Fs, name: string) => Promise<unknown>): Operation['run'] {
  return async (files, name) => {
    const fs = new MemoryFs({ tracked: false });
    for (const directory of [WAL_DIRECTORY, SNAP_DIRECTORY]) {
      await fs.makeDirectory(directory, { recursive: true });
    }
    for (const [path, bytes] of files) await putFile(fs, `/${path}`, bytes);
    const answer = await answerOf(() => work(fs, name));
    for (const [path, bytes] of files) {
      if (!(await fileBytes(fs, `/${path}`)).equals(bytes)) {
        return { fault: new Error(`it changed ${path}`) };
      }
    }
    return answer;
  };
}

const READING: Readonly<Record<string, Operation>> = {
  'dump-logs': { run: reading((fs) => dumpFrom(fs, '')), expects: 'without it' },
  'dump-logs --start-snap': { run: reading(dumpFrom), expects: 'error' },
  'wal verify': {
    run: reading(async (fs) => factsOf(await inspectLog(fs, '/'))),
    expects: 'error',
  },
  verify: {
    run: reading(async (fs) => {
      const { log, backend, problems } = await verifyMember(fs, '/', '');
      return { log, backend, problems };
    }),
    expects: 'same',
  },
};

/** Of those that work with our own directories. */
function working(operation: DirectoryOperation): Operation['run'] {
  return async (files) => {
    const parent = join(await tempDir(), 'parent');
    await mkdir(parent);
    const { answer, after } = await answerFor(files, operation, parent);
    for (const [path, bytes] of files) {
      if (path.endsWith('.snap') && after.get(path)?.equals(bytes) !== true) {
        return { fault: new Error(`it changed ${path}`) };
      }
    }
    return answer;
  };
}

const OURS: Readonly<Record<string, Operation>> = {
  ...READING,
  export: { run: working(exportIt), expects: 'same' },
  serve: { run: working(serve), expects: 'same' },
};

interface Case {
  readonly name: string;
  readonly files: () => Promise<Files>;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly share: number;
  readonly runs: boolean;
}

const CASES: readonly Case[] = [
  {
    name: 'ours',
    files: () => ourDirectory(['--snapshot-count=25']),
    operations: OURS,
    share: 0.003,
    runs: true,
  },
  ...FIXTURE_VERSIONS.map((version) => ({
    name: `an etcd ${version}`,
    files: () => killedDirectory(version),
    operations: READING,
    share: 0.005,
    runs: hasFixtures,
  })),
  {
    name: 'an etcd 3.4 with several snap files',
    files: () => realDirectory('terminate'),
    operations: READING,
    share: 0.01,
    runs: hasRealEtcd,
  },
];

/** Whether a `.snap` file says the same, whatever was changed in it. */
function saysSame(original: Buffer, bytes: Buffer): boolean {
  try {
    expect(decodeSnapshotFile(bytes)).toEqual(decodeSnapshotFile(original));
    return true;
  } catch {
    return false;
  }
}

describe.each(CASES)('the snap files of $name, damaged', (given) => {
  const { name, operations, share, runs } = given;
  const tally = new Tally(`the snap files of ${name}`);
  afterAll(() => console.log(String(tally)));

  it.skipIf(!runs)(
    'are passed over or named by all that works with the directory',
    async () => {
      const sound = await given.files();
      const paths = [...sound.keys()].filter((path) => path.endsWith('.snap'));
      expect(paths.length).toBeGreaterThan(0);
      const findings: string[] = [];
      const count = filesFor(share);
      for (let round = 0; round < count && findings.length < MAX_FINDINGS; round++) {
        const seed = SEED + round;
        const path = paths[round % paths.length] ?? '';
        const original = sound.get(path) ?? Buffer.alloc(0);
        const { kind, bytes } = damage(original, seededRandom(seed));
        const isSame = saysSame(original, bytes);
        const file = path.split('/').at(-1) ?? '';
        tally.files++;
        for (const [operation, { run, expects }] of Object.entries(operations)) {
          const expected = await run(sound, file);
          const answer = await run(new Map([...sound, [path, bytes]]), file);
          const others = new Map([...sound].filter(([other]) => other !== path));
          const verdict = await judge(answer, expected, () => run(others, file));
          if (verdict !== undefined) tally.count(operation, verdict);
          else findings.push(`seed ${seed}, ${path}, ${kind}, ${operation}: ${textOf(answer)}`);

          async function judge(
            found: Answer,
            right: Answer,
            without: () => Promise<Answer>,
          ): Promise<string | undefined> {
            if (!('text' in right) || 'fault' in found) return undefined;
            if ('error' in found) {
              const isNamed = expects === 'error' && found.message.includes(file);
              return isNamed && !isSame ? found.error : undefined;
            }
            if (found.text === right.text)
              return isSame || expects !== 'error' ? 'same' : undefined;
            const other = isSame || expects !== 'without it' ? undefined : await without();
            return other && 'text' in other && other.text === found.text ? 'earlier' : undefined;
          }
        }
      }
      expect(findings).toEqual([]);
    },
    TIMEOUT,
  );
});
