import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { GrpcCode, RpcError } from '../../../src/proto/errors.js';
import { readRecords } from '../../../src/storage/wal/record-reader.js';
import { listSegments } from '../../../src/storage/wal/segments.js';
import { startEtcd } from '../../../src/testing.js';
import { contentsOf } from '../../support/etcd-contents.js';
import { hasRealEtcd } from '../../support/real-etcd.js';
import { tempDir } from '../../support/temp-dir.js';
import { type Answer, answerOf } from './answers.js';
import { filesFor, SEED } from './budget.js';
import { damage } from './damage.js';
import { type Files, filesOf, textOf, writeFiles } from './data-directories.js';
import { withoutNewestMeta } from './database-judge.js';
import { type Extent, withContentOf } from './extents.js';
import {
  databaseContent,
  exportedDirectory,
  killedDirectory,
  realDirectory,
  segmentedDirectory,
} from './foreign-directories.js';
import { FIXTURE_VERSIONS, hasFixtures } from './sound-files.js';
import { Tally } from './tally.js';

const TIMEOUT = 1_800_000;
const MAX_FINDINGS = 20;
/** A start and all that is asked then may not take longer, ms. */
const MOST_MILLIS = 30_000;
const DATABASE = 'member/snap/db';
/** What the fixtures have authentication for. */
const ROOT = { user: 'root', password: 'rootpw' };

interface Credentials {
  readonly user?: string;
  readonly password?: string;
}

/** All that a server tells that takes over a directory, or why it tells nothing. */
async function contents(data: string, credentials: Credentials): Promise<unknown> {
  const etcd = await startEtcd({ storage: { directory: data }, logger: silentLogger });
  const late = new AbortController();
  const tooLong = async (): Promise<never> => {
    await sleep(MOST_MILLIS, undefined, { signal: late.signal });
    throw new Error('the server does not answer');
  };
  try {
    return await Promise.race([contentsOf(etcd.endpoint, credentials), tooLong()]);
  } catch (error) {
    // A user whose row was hit may not be let in.
    if (!(error instanceof RpcError) || UNANSWERED.has(error.code)) throw error;
    return { refused: error.message };
  } finally {
    late.abort();
    await etcd.stop();
  }
}

const UNANSWERED: ReadonlySet<number> = new Set([
  GrpcCode.Unavailable,
  GrpcCode.DeadlineExceeded,
  GrpcCode.Unknown,
  GrpcCode.Internal,
]);

interface Case {
  readonly name: string;
  readonly files: () => Promise<Files>;
  readonly credentials: Credentials;
  readonly share: number;
  readonly runs: boolean;
}

const CASES: readonly Case[] = [
  ...FIXTURE_VERSIONS.map((version) => ({
    name: `an etcd ${version} that was killed`,
    files: () => killedDirectory(version),
    credentials: ROOT,
    share: 0.004,
    runs: hasFixtures,
  })),
  {
    name: 'an etcd 3.5 whose log has several segments',
    files: () => segmentedDirectory('3.5.30'),
    credentials: ROOT,
    share: 0.0025,
    runs: hasFixtures,
  },
  {
    name: 'an etcd 3.5 whose log begins with a snapshot',
    files: () => exportedDirectory('3.5.30'),
    credentials: ROOT,
    share: 0.0025,
    runs: hasFixtures,
  },
  ...(['kill', 'terminate'] as const).map((end) => ({
    name: `an etcd 3.4 with several snap files (${end})`,
    files: () => realDirectory(end),
    credentials: {},
    share: 0.004,
    runs: hasRealEtcd,
  })),
];

/** One directory that is damaged again and again, and the answers for it. */
class Judge {
  readonly #sound: Files;
  readonly #credentials: Credentials;
  readonly #content: readonly Extent[];
  readonly #parent: string;
  readonly #known = new Map<string, Answer>();
  expected: Answer = { text: '' };

  constructor(sound: Files, credentials: Credentials, parent: string) {
    this.#sound = sound;
    this.#credentials = credentials;
    this.#content = databaseContent(sound);
    this.#parent = parent;
  }

  async prepare(): Promise<void> {
    this.expected = await this.answer(this.#sound);
  }

  /** What one start says of a directory. */
  async answer(files: Files): Promise<Answer> {
    return this.#within(files, (data) => this.#start(data));
  }

  /** Returns the kind of answer, and all that must not be. */
  async judge(path: string, bytes: Buffer): Promise<{ kind: string; findings: string[] }> {
    const before = new Map([...this.#sound, [path, bytes]]);
    const findings: string[] = [];
    const [first, after] = await this.#within(before, async (data) => {
      const first = await this.#start(data);
      const after = await filesOf(data);
      const second = await this.#start(data);
      if (!isSame(first, second)) {
        findings.push(`the second start: ${textOf(second)}, the first: ${textOf(first)}`);
      }
      if (!('text' in first)) await this.#remedy(data, path, findings);
      return [first, after] as const;
    });
    for (const text of changes(before, after, 'text' in first)) findings.push(text);
    const kind = await this.#kindOf(first, path, bytes);
    if (kind === undefined) findings.push(textOf(first));
    return { kind: kind ?? '', findings };
  }

  /** Whoever puts back the file that was damaged has all again. */
  async #remedy(data: string, path: string, findings: string[]): Promise<void> {
    const original = this.#sound.get(path) ?? Buffer.alloc(0);
    await writeFile(join(data, path), original);
    const third = await this.#start(data);
    if (!isSame(third, this.expected)) findings.push(`with the sound file: ${textOf(third)}`);
  }

  async #kindOf(given: Answer, path: string, bytes: Buffer): Promise<string | undefined> {
    if ('fault' in given) return undefined;
    if ('error' in given) return given.error;
    if (isSame(given, this.expected)) return 'same';
    for (const [kind, other] of await this.#references(path, bytes)) {
      const key = [...other].map(([name, part]) => `${name} ${part.toString('latin1')}`).join();
      const known = kind === 'earlier' ? this.#known.get(key) : undefined;
      const reference = known ?? (await this.answer(other));
      if (kind === 'earlier') this.#known.set(key, reference);
      if (isSame(given, reference)) return kind;
    }
    return undefined;
  }

  /** Sound directories that mean what the damaged one can be taken to mean. */
  async #references(path: string, bytes: Buffer): Promise<[string, Files][]> {
    const original = this.#sound.get(path) ?? Buffer.alloc(0);
    const others = new Map([...this.#sound].filter(([name]) => name !== path));
    if (path.endsWith('.snap')) return [['earlier', others]];
    if (path.endsWith('.wal')) {
      // Up to where it is torn.
      const end = await this.#endOfLog(new Map([...others, [path, bytes]]));
      if (end === undefined || !path.endsWith(end.name)) return [];
      return [['earlier', new Map([...others, [path, original.subarray(0, end.offset)]])]];
    }
    const older = withoutNewestMeta(original);
    const references: [string, Files][] = [];
    if (older !== undefined) references.push(['earlier', new Map([...others, [path, older]])]);
    for (const base of [original, older]) {
      const changed = base && withContentOf(base, bytes, this.#content);
      if (changed) references.push(['content', new Map([...others, [path, changed]])]);
    }
    return references;
  }

  #endOfLog(files: Files): Promise<{ name: string; offset: number } | undefined> {
    return this.#within(files, async (data) => {
      const wal = join(data, 'member/wal');
      const segments = await listSegments(nodeFs, wal, silentLogger);
      const { segment, offset } = await readRecords(nodeFs, wal, segments, () => {});
      return segment === segments.at(-1) ? { name: segment.name, offset } : undefined;
    });
  }

  #start(data: string): Promise<Answer> {
    return answerOf(() => contents(data, this.#credentials), MOST_MILLIS);
  }

  async #within<T>(files: Files, work: (data: string) => Promise<T>): Promise<T> {
    const data = join(this.#parent, 'data');
    await writeFiles(data, files);
    try {
      return await work(data);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  }
}

function isSame(one: Answer, other: Answer): boolean {
  if ('text' in one) return 'text' in other && one.text === other.text;
  return 'error' in one && 'error' in other && one.message === other.message;
}

/**
 * The database is only read; a `.snap` file that can't be read is set aside; the end of the log may
 * be cut off and kept, and one that is served is written on. A failure leaves nothing else.
 */
function changes(before: Files, after: Files, isServed: boolean): string[] {
  const found: string[] = [];
  for (const [path, bytes] of before) {
    const now = after.get(path);
    const kept = after.get(`${path}.broken`);
    if (now?.equals(bytes) || (kept?.equals(bytes) && path !== DATABASE)) continue;
    if (!(isServed && path.endsWith('.wal'))) found.push(`changed ${path}`);
  }
  for (const path of after.keys()) {
    if (before.has(path) || before.has(path.replace(/\.broken$/, ''))) continue;
    if (!isServed) found.push(`left ${path}`);
  }
  return found;
}

describe.each(CASES)('taking over $name, damaged', ({ name, share, runs, ...rest }) => {
  const tally = new Tally(name);
  afterAll(() => console.log(String(tally)));

  it.skipIf(!runs)(
    'serves what is right or says what is damaged, and leaves the directory to be mended',
    async () => {
      const sound = await rest.files();
      const judge = new Judge(sound, rest.credentials, await tempDir());
      await judge.prepare();
      expect(judge.expected).toHaveProperty('text');
      expect(judge.expected).not.toHaveProperty('text', expect.stringContaining('"refused"'));
      const findings: string[] = [];
      const paths = [...sound.keys()];
      const count = filesFor(share);
      for (let round = 0; round < count && findings.length < MAX_FINDINGS; round++) {
        const seed = SEED + round;
        const path = paths[round % paths.length] ?? '';
        const { kind, bytes } = damage(sound.get(path) ?? Buffer.alloc(0), seededRandom(seed));
        const found = await judge.judge(path, bytes);
        tally.files++;
        tally.count(path.replace(/^.*\./, '').replace(/^.*\//, ''), found.kind);
        findings.push(...found.findings.map((text) => `seed ${seed}, ${path}, ${kind}: ${text}`));
      }
      expect(findings).toEqual([]);
    },
    TIMEOUT,
  );
});
