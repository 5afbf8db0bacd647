import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defragmentDataDirectory } from '../../../src/offline/defragment.js';
import { fileHash } from '../../../src/offline/file-hash.js';
import { verifyMember } from '../../../src/offline/verify-member.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { LMDB_FILE_NAME } from '../../../src/storage/backend/lmdb.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { tempDir } from '../../support/temp-dir.js';
import type { Answer } from './answers.js';
import { filesFor, SEED } from './budget.js';
import { damage } from './damage.js';
import {
  answerFor,
  type DirectoryOperation,
  exportIt,
  type Files,
  isUntouched,
  ourDirectory,
  serve,
  textOf,
} from './data-directories.js';
import { restore } from './database-operations.js';
import { lmdbContent, withContentOf } from './extents.js';
import { ourDatabase, ourSnapshot } from './sound-files.js';
import { Tally } from './tally.js';

const TIMEOUT = 600_000;
const MAX_FINDINGS = 20;
const DATABASE = `member/snap/${LMDB_FILE_NAME}`;

async function databaseFile(bytes: Buffer, path: string): Promise<Files> {
  return new Map([[path, bytes]]);
}

const defragment: DirectoryOperation = async (data) => {
  await defragmentDataDirectory(data, { lockTimeoutMillis: 1000 });
  return fileHash(nodeFs, data);
};

interface Case {
  readonly name: string;
  readonly files: () => Promise<Files>;
  readonly damaged: RegExp;
  readonly operation: DirectoryOperation;
  /** What it may change: nothing, the damaged file if it succeeds, or all, as a server does. */
  readonly changes?: 'file' | 'all';
  readonly share: number;
}

const CASES: readonly Case[] = [
  {
    name: 'snapshot restore of a snapshot that we saved',
    files: () => databaseFile(ourSnapshot().bytes, 'snapshot.db'),
    damaged: /snapshot/,
    operation: (data, output) => restore(nodeFs, join(data, 'snapshot.db'), 'etcdkit', output),
    share: 0.01,
  },
  {
    name: 'defrag of a bbolt file',
    files: () => databaseFile(ourDatabase().bytes, 'member/snap/db'),
    damaged: /db$/,
    operation: defragment,
    changes: 'file',
    share: 0.01,
  },
  {
    name: 'defrag of a database of ours',
    files: () => ourDirectory(),
    damaged: /lmdb$/,
    operation: defragment,
    changes: 'file',
    share: 0.005,
  },
  {
    name: 'export',
    files: () => ourDirectory(),
    damaged: /lmdb$|wal$/,
    operation: exportIt,
    share: 0.005,
  },
  {
    name: 'verify',
    files: () => ourDirectory(),
    damaged: /lmdb$|wal$/,
    operation: async (data) => (await verifyMember(nodeFs, data, '')).backend,
    share: 0.01,
  },
  {
    name: 'serve',
    files: () => ourDirectory(),
    damaged: /lmdb$|wal$/,
    operation: serve,
    changes: 'all',
    share: 0.003,
  },
];

describe.each(CASES)('$name, damaged', ({ name, operation, damaged, changes, share, ...rest }) => {
  const tally = new Tally(name);
  afterAll(() => console.log(String(tally)));

  it(
    'gives the right answer or says what is damaged, and leaves the rest alone',
    async () => {
      const sound = await rest.files();
      const parent = await tempDir();
      const expected = (await answerFor(sound, operation, parent)).answer;
      expect(expected).toHaveProperty('text');
      const paths = [...sound.keys()].filter((path) => damaged.test(path));
      const findings: string[] = [];
      const count = filesFor(share);
      for (let round = 0; round < count && findings.length < MAX_FINDINGS; round++) {
        const random = seededRandom(SEED + round);
        const path = paths[round % paths.length] ?? '';
        const original = sound.get(path) ?? Buffer.alloc(0);
        const { kind, bytes } = damage(original, random);
        const files = new Map([...sound, [path, bytes]]);
        const found = await answerFor(files, operation, parent);
        const place = `seed ${SEED + round}, ${path}, ${kind}`;
        const isDone = 'text' in found.answer;
        tally.files++;
        const mayChange = changes === 'all' && (isDone || path.endsWith('.wal'));
        const rewritten = changes === 'file' && isDone ? path : undefined;
        if (!mayChange && !isUntouched(files, found.after, rewritten)) {
          findings.push(`${place}: changed files`);
        }
        if (found.output && !isDone) findings.push(`${place}: it left something`);
        const verdict = await judge(found.answer);
        if (verdict === undefined) findings.push(`${place}: ${textOf(found.answer)}`);
        else tally.count(name, verdict);

        async function judge(given: Answer): Promise<string | undefined> {
          if ('fault' in given) return undefined;
          if ('error' in given) return given.error;
          const isSame = (other: Answer) => 'text' in other && other.text === given.text;
          if (isSame(expected)) return 'same';
          const past = await reference(path, original, bytes);
          if (past === undefined) return undefined;
          const other = await answerFor(new Map([...sound, [path, past]]), operation, parent);
          return isSame(other.answer) ? (path.endsWith('.wal') ? 'earlier' : 'content') : undefined;
        }
      }
      expect(findings).toEqual([]);
    },
    TIMEOUT,
  );
});

/** A sound file that means what the damaged one can be taken to mean. */
async function reference(
  path: string,
  original: Buffer,
  bytes: Buffer,
): Promise<Buffer | undefined> {
  if (path === DATABASE) return withContentOf(original, bytes, lmdbContent(original));
  if (path === 'member/snap/db') return withContentOf(original, bytes, ourDatabase().content);
  if (!path.endsWith('.wal')) return undefined;
  // Up to where it is torn.
  const directory = await tempDir();
  await writeFile(join(directory, path.split('/').at(-1) ?? ''), bytes);
  const { tail } = await readWal(nodeFs, directory);
  return original.subarray(0, tail.offset);
}
