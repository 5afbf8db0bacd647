import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { defragmentDataDirectory } from '../../../src/offline/defragment.js';
import { exportDataDirectory } from '../../../src/offline/export/export-data-directory.js';
import { fileHash } from '../../../src/offline/file-hash.js';
import { verifyMember } from '../../../src/offline/verify-member.js';
import { acquireDirectoryLock } from '../../../src/platform/directory-lock.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { decodeMember } from '../../../src/server/membership/member.js';
import { LMDB_FILE_NAME } from '../../../src/storage/backend/lmdb.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { startEtcd } from '../../../src/testing.js';
import { contentsOf, fillEtcd } from '../../support/etcd-contents.js';
import { tempDir } from '../../support/temp-dir.js';
import { type Answer, answerOf } from './answers.js';
import { filesFor, SEED } from './budget.js';
import { damage } from './damage.js';
import { restore } from './database-operations.js';
import { lmdbContent, withContentOf } from './extents.js';
import { ourDatabase, ourSnapshot } from './sound-files.js';
import { Tally } from './tally.js';

const TIMEOUT = 600_000;
const MAX_FINDINGS = 20;
/** Room behind the records of the log. */
const TAIL_BYTES = 2048;
const DATABASE = `member/snap/${LMDB_FILE_NAME}`;

/** Contents by path below the data directory. */
type Files = ReadonlyMap<string, Buffer>;
/** Gets a data directory, and a path beside it where nothing is. */
type DirectoryOperation = (data: string, output: string) => Promise<unknown>;

async function filesOf(directory: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // LMDB's reader tables and our locks are no data, and the writer's next segment holds nothing.
    if (!entry.isFile() || /lock$|\.tmp$/i.test(entry.name)) continue;
    files.set(path.slice(directory.length + 1), await readFile(path));
  }
  return files;
}

/** The directory of a member of ours, with less room behind the records of its log. */
async function ourDirectory(): Promise<Files> {
  const data = join(await tempDir(), 'data');
  const etcd = await startEtcd({ storage: { directory: data } });
  await fillEtcd(etcd.endpoint, 60);
  await etcd.stop();
  const wal = join(data, 'member/wal');
  const { tail } = await readWal(nodeFs, wal);
  const files = await filesOf(data);
  for (const [path, bytes] of files) {
    if (path.endsWith('.wal')) files.set(path, bytes.subarray(0, tail.offset + TAIL_BYTES));
  }
  return files;
}

async function databaseFile(bytes: Buffer, path: string): Promise<Files> {
  return new Map([[path, bytes]]);
}

const exportIt: DirectoryOperation = async (data, output) => {
  await exportDataDirectory({
    fs: nodeFs,
    clock: nodeClock,
    logger: silentLogger,
    dataDirectory: data,
    walDirectory: join(data, 'member/wal'),
    outputDirectory: output,
    target: '3.5',
    decodeMember,
    takeDirectory: acquireDirectoryLock,
  });
  return fileHash(nodeFs, join(output, 'member/snap/db'));
};

const defragment: DirectoryOperation = async (data) => {
  await defragmentDataDirectory(data, { lockTimeoutMillis: 1000 });
  return fileHash(nodeFs, data);
};

/** A server of its own: what it tells of all that it holds. */
const serve: DirectoryOperation = async (data) => {
  const etcd = await startEtcd({ storage: { directory: data }, logger: silentLogger });
  try {
    return await contentsOf(etcd.endpoint);
  } finally {
    await etcd.stop();
  }
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
    files: ourDirectory,
    damaged: /lmdb$/,
    operation: defragment,
    changes: 'file',
    share: 0.005,
  },
  {
    name: 'export',
    files: ourDirectory,
    damaged: /lmdb$|wal$/,
    operation: exportIt,
    share: 0.005,
  },
  {
    name: 'verify',
    files: ourDirectory,
    damaged: /lmdb$|wal$/,
    operation: async (data) => (await verifyMember(nodeFs, data, '')).backend,
    share: 0.01,
  },
  {
    name: 'serve',
    files: ourDirectory,
    damaged: /lmdb$|wal$/,
    operation: serve,
    changes: 'all',
    share: 0.003,
  },
];

async function answer(
  files: Files,
  operation: DirectoryOperation,
  parent: string,
): Promise<{ answer: Answer; after: Files; output: boolean }> {
  const data = join(parent, 'data');
  const output = join(parent, 'output');
  for (const [path, bytes] of files) {
    await mkdir(dirname(join(data, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(data, path), bytes);
  }
  try {
    const found = await answerOf(() => operation(data, output));
    const left = (await readdir(parent)).includes('output');
    return { answer: found, after: await filesOf(data), output: left };
  } finally {
    await rm(data, { recursive: true, force: true });
    await rm(output, { recursive: true, force: true });
  }
}

function isUntouched(before: Files, after: Files, except: string | undefined): boolean {
  return (
    before.size === after.size &&
    [...before].every(([path, bytes]) => path === except || after.get(path)?.equals(bytes) === true)
  );
}

function textOf(found: Answer): string {
  if ('fault' in found) {
    return found.fault instanceof Error ? (found.fault.stack ?? '') : String(found.fault);
  }
  return 'text' in found ? `a wrong answer: ${found.text.slice(0, 300)}` : found.error;
}

describe.each(CASES)('$name, damaged', ({ name, operation, damaged, changes, share, ...rest }) => {
  const tally = new Tally(name);
  afterAll(() => console.log(String(tally)));

  it(
    'gives the right answer or says what is damaged, and leaves the rest alone',
    async () => {
      const sound = await rest.files();
      const parent = await tempDir();
      const expected = (await answer(sound, operation, parent)).answer;
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
        const found = await answer(files, operation, parent);
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
          const other = await answer(new Map([...sound, [path, past]]), operation, parent);
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
