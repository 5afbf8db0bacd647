import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import { filesFor, SEED } from './budget.js';
import { DatabaseJudge, type SoundFile } from './database-judge.js';
import { DATABASE_OPERATIONS, SNAPSHOT_OPERATIONS } from './database-operations.js';
import {
  FIXTURE_VERSIONS,
  hasFixtures,
  ourDatabase,
  ourLmdbDatabase,
  ourSnapshot,
  recordedDatabase,
  recordedSnapshots,
} from './sound-files.js';
import { Tally } from './tally.js';

const TIMEOUT = 600_000;
/** More are not told at once. */
const MAX_FINDINGS = 20;

interface Case {
  readonly name: string;
  readonly operations: typeof DATABASE_OPERATIONS;
  readonly files: () => Promise<SoundFile[]>;
  readonly share: number;
  readonly needsFixtures?: boolean;
}

const BBOLT = { ...DATABASE_OPERATIONS, ...SNAPSHOT_OPERATIONS };
const CASES: readonly Case[] = [
  {
    name: 'a snapshot that we saved',
    operations: BBOLT,
    files: async () => [ourSnapshot()],
    share: 0.1,
  },
  {
    name: 'a snapshot that a real etcd saved',
    operations: BBOLT,
    files: async () => recordedSnapshots(),
    share: 0.1,
    needsFixtures: true,
  },
  {
    name: 'a bbolt file of ours',
    operations: BBOLT,
    files: async () => [ourDatabase()],
    share: 0.1,
  },
  {
    name: "a real etcd's database",
    operations: BBOLT,
    files: () => Promise.all(FIXTURE_VERSIONS.map(recordedDatabase)),
    share: 0.15,
    needsFixtures: true,
  },
  {
    name: 'a database of ours',
    operations: DATABASE_OPERATIONS,
    files: () => Promise.all([ourLmdbDatabase(true), ourLmdbDatabase(false)]),
    share: 0.2,
  },
];

describe.each(CASES)('$name, damaged', ({ name, operations, files, share, needsFixtures }) => {
  const tally = new Tally(name);
  afterAll(() => console.log(String(tally)));

  it.skipIf(needsFixtures === true && !hasFixtures)(
    'gives the right answer or says where it is damaged',
    async () => {
      const sound = await files();
      const findings: string[] = [];
      for (const [number, file] of sound.entries()) {
        const judge = await DatabaseJudge.create(file, operations, tally);
        const count = filesFor(share / sound.length);
        for (let round = 0; round < count && findings.length < MAX_FINDINGS; round++) {
          const seed = SEED + round * sound.length + number;
          const found = await judge.tryOne(seededRandom(seed));
          findings.push(...found.map((text) => `${file.name}, seed ${seed}, ${text}`));
        }
      }
      expect(findings).toEqual([]);
    },
    TIMEOUT,
  );
});
