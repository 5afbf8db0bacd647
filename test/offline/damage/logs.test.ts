import { afterAll, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { MemoryFs } from '../../../src/platform/memory-fs.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { encodeSnapshotFile, snapshotFileName } from '../../../src/storage/snap/snapshot-file.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { readRecords } from '../../../src/storage/wal/record-reader.js';
import { listSegments } from '../../../src/storage/wal/segments.js';
import {
  createWriter,
  entry,
  fileBytes,
  putFile,
  state,
  VOTERS,
} from '../../storage/wal/support.js';
import { type Answer, answerOf } from './answers.js';
import { filesFor, SEED } from './budget.js';
import { damage } from './damage.js';
import {
  boot,
  type LogOperation,
  loadSnapshot,
  READING_OPERATIONS,
  SNAP_DIRECTORY,
  WAL_DIRECTORY,
} from './log-operations.js';
import { FIXTURE_VERSIONS, hasFixtures, recordedMember } from './sound-files.js';
import { Tally } from './tally.js';

// What may be a running member's log is read again after a while; here nobody writes.
vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof import('node:timers/promises')>()),
  setTimeout: async () => {},
}));

const TIMEOUT = 600_000;
const MAX_FINDINGS = 20;
/** Room behind the records, as etcd leaves it. */
const TAIL_BYTES = 2048;

/** Contents by path. */
type Files = ReadonlyMap<string, Buffer>;

async function diskOf(files: Files): Promise<MemoryFs> {
  const fs = new MemoryFs({ tracked: false });
  for (const directory of [WAL_DIRECTORY, SNAP_DIRECTORY]) {
    await fs.makeDirectory(directory, { recursive: true });
  }
  for (const [path, bytes] of files) await putFile(fs, path, bytes);
  return fs;
}

async function filesOf(fs: MemoryFs): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const directory of [WAL_DIRECTORY, SNAP_DIRECTORY]) {
    for (const name of await fs.readDirectory(directory)) {
      const path = `${directory}/${name}`;
      files.set(path, await fileBytes(fs, path));
    }
  }
  return files;
}

/** A log in several segments, with terms, a snapshot, and entries that override others. */
async function ourLog(): Promise<Files> {
  const fs = new MemoryFs({ tracked: false });
  const writer = await createWriter(fs, { segmentBytes: 4096 });
  let index = 0;
  for (let term = 1; term <= 6; term++) {
    for (let count = 0; count < 8; count++) {
      index++;
      const bytes = (index * 61) % 700;
      await writer.save(state(term, index - 1), [entry(index, Buffer.alloc(bytes, index), term)]);
    }
    if (term === 3) await writer.saveSnapshot({ index: 20, term, confState: VOTERS });
    // Entries that no majority had: the next leader overrides them.
    await writer.save(undefined, [entry(index + 1, 'lost', term), entry(index + 2, 'lost', term)]);
  }
  await writer.close();
  await fs.makeDirectory(SNAP_DIRECTORY, { recursive: true });
  return filesOf(fs);
}

/** The log of a real etcd, with less room behind its records. */
async function recordedLog(version: string): Promise<Files> {
  const member = await recordedMember(version);
  const name = 'wal/0000000000000000-0000000000000000.wal';
  const path = `/member/${name}`;
  const whole = member.get(name) ?? Buffer.alloc(0);
  const used = (await readWal(await diskOf(new Map([[path, whole]])), WAL_DIRECTORY)).tail.offset;
  return new Map([[path, Buffer.from(whole.subarray(0, used + TAIL_BYTES))]]);
}

/** The log as it was after each of its records. */
async function pasts(files: Files): Promise<Files[]> {
  const fs = await diskOf(files);
  const segments = await listSegments(fs, WAL_DIRECTORY, silentLogger);
  const found: Files[] = [];
  const add = (last: string, end: number): void => {
    const past = new Map<string, Buffer>();
    for (const { name } of segments) {
      const bytes = files.get(`${WAL_DIRECTORY}/${name}`) ?? Buffer.alloc(0);
      past.set(`${WAL_DIRECTORY}/${name}`, name === last ? bytes.subarray(0, end) : bytes);
      if (name === last) break;
    }
    found.push(past);
  };
  const end = await readRecords(fs, WAL_DIRECTORY, segments, (_record, { segment, offset }) =>
    add(segment.name, offset),
  );
  add(end.segment.name, end.offset);
  return found;
}

async function textsOf(operation: LogOperation, states: readonly Files[]): Promise<Set<string>> {
  const texts = new Set<string>();
  for (const files of states) {
    const fs = await diskOf(files);
    const answer = await answerOf(() => operation(fs));
    if ('text' in answer) texts.add(answer.text);
  }
  return texts;
}

function verdict(answer: Answer, sound: string, earlier: ReadonlySet<string>): string | undefined {
  if ('fault' in answer) return undefined;
  if ('error' in answer) return answer.error;
  if (answer.text === sound) return 'same';
  return earlier.has(answer.text) ? 'earlier' : undefined;
}

function isUntouched(before: Files, after: Files): boolean {
  return (
    before.size === after.size &&
    [...before].every(([path, bytes]) => after.get(path)?.equals(bytes) === true)
  );
}

/** A repair keeps what it cuts, and cuts the last segment alone. */
function isRepaired(before: Files, after: Files): boolean {
  return [...before].every(([path, bytes]) => {
    const now = after.get(path);
    if (now?.equals(bytes)) return true;
    const kept = after.get(`${path}.broken`);
    return kept?.equals(bytes) === true && now?.equals(bytes.subarray(0, now.length)) !== false;
  });
}

function describeFinding(answer: Answer): string {
  if ('fault' in answer) {
    return answer.fault instanceof Error ? (answer.fault.stack ?? '') : String(answer.fault);
  }
  return 'text' in answer ? `a wrong answer: ${answer.text}` : `changed files, ${answer.error}`;
}

interface Case {
  readonly name: string;
  readonly sound: () => Promise<Files>;
  /** What the files were before; for `.snap` files, without the newest. */
  readonly pasts: (files: Files) => Promise<Files[]>;
  readonly operations: Readonly<Record<string, LogOperation>>;
  readonly share: number;
  readonly needsFixtures?: boolean;
}

const LOG = { ...READING_OPERATIONS, 'serve (log)': boot };

async function someSnapshots(): Promise<Files> {
  const files = new Map<string, Buffer>();
  for (const index of [10, 30]) {
    const data = Buffer.from(`{"membership of":${index}}`);
    const bytes = encodeSnapshotFile({ data, index, term: 2, confState: VOTERS });
    files.set(`${SNAP_DIRECTORY}/${snapshotFileName(2, index)}`, bytes);
  }
  return files;
}

async function recordedSnapshotFile(version: string): Promise<Files> {
  const name = 'snap/0000000000000002-00000000000000c9.snap';
  return new Map([
    [`/member/${name}`, (await recordedMember(version)).get(name) ?? Buffer.alloc(0)],
  ]);
}

async function withoutNewest(files: Files): Promise<Files[]> {
  return [new Map([...files].slice(0, 1))];
}

const CASES: readonly Case[] = [
  { name: 'a log of ours', sound: ourLog, pasts, operations: LOG, share: 0.15 },
  ...FIXTURE_VERSIONS.map((version) => ({
    name: `the log of an etcd ${version}`,
    sound: () => recordedLog(version),
    pasts,
    operations: LOG,
    share: 0.05,
    needsFixtures: true,
  })),
  {
    name: 'snap files of ours',
    sound: someSnapshots,
    pasts: withoutNewest,
    operations: { 'serve (snap)': loadSnapshot },
    share: 0.03,
  },
  ...FIXTURE_VERSIONS.map((version) => ({
    name: `the snap file of an etcd ${version}`,
    sound: () => recordedSnapshotFile(version),
    pasts: async () => [],
    operations: { 'serve (snap)': loadSnapshot },
    share: 0.02,
    needsFixtures: true,
  })),
];

describe.each(CASES)(
  '$name, damaged',
  ({ name, sound, pasts, operations, share, needsFixtures }) => {
    const tally = new Tally(name);
    afterAll(() => console.log(String(tally)));

    it.skipIf(needsFixtures === true && !hasFixtures)(
      'gives the right answer, an earlier one, or says where it is damaged',
      async () => {
        const files = await sound();
        const states = await pasts(files);
        const expected = new Map<string, { sound: string; earlier: Set<string> }>();
        for (const [operation, run] of Object.entries(operations)) {
          const [text = ''] = await textsOf(run, [files]);
          expect(text, operation).not.toBe('');
          expected.set(operation, { sound: text, earlier: await textsOf(run, states) });
        }
        const findings: string[] = [];
        const paths = [...files.keys()];
        const count = filesFor(share);
        for (let round = 0; round < count && findings.length < MAX_FINDINGS; round++) {
          const seed = SEED + round;
          const random = seededRandom(seed);
          const path = paths[random.integer(paths.length)] ?? '';
          const { kind, bytes } = damage(files.get(path) ?? Buffer.alloc(0), random);
          const damaged = new Map([...files, [path, bytes]]);
          tally.files++;
          for (const [operation, run] of Object.entries(operations)) {
            const fs = await diskOf(damaged);
            const answer = await answerOf(() => run(fs));
            const { sound: text = '', earlier = new Set<string>() } = expected.get(operation) ?? {};
            const found = verdict(answer, text, earlier);
            const after = await filesOf(fs);
            const isKept = isUntouched(damaged, after);
            const mayRepair = operation.startsWith('serve');
            if (found !== undefined && (isKept || (mayRepair && isRepaired(damaged, after)))) {
              tally.count(operation, isKept ? found : `${found} after a repair`);
            } else {
              findings.push(
                `seed ${seed}, ${path}, ${kind}, ${operation}: ${describeFinding(answer)}`,
              );
            }
          }
        }
        expect(findings).toEqual([]);
      },
      TIMEOUT,
    );
  },
);
