import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import DbVerify from '../../src/commands/db/verify.js';
import VerifyCommand from '../../src/commands/verify.js';
import { verifyFile } from '../../src/offline/verify-file.js';
import { nodeClock } from '../../src/platform/node-clock.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../src/storage/backend/lmdb.js';
import { unpackRealEtcd } from '../support/recorded-directory.js';
import { runCommand } from '../support/run-command.js';
import { sharedPath } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';
import { bboltImage, keyRow, withFile } from './support.js';

const fixtures = sharedPath('fixtures');
const PAGE = 4096;

/** Enough rows for branches, in both kinds of files. */
const rows = Array.from({ length: 2000 }, (_, index) =>
  keyRow({ main: index + 2, key: `key-${index % 300}`, value: 'x'.repeat(50 + (index % 90)) }),
);

/** The outcome of every damage: sound (it hit nothing), or a place. */
async function outcome(bytes: Buffer): Promise<string> {
  const verdict = await verifyFile(await withFile(bytes), '/db');
  if (verdict.isSound) return `sound ${verdict.checked.hash}`;
  const { offset, page, row, reason } = verdict.damage;
  expect(reason).not.toBe('');
  if (offset !== undefined) expect(page).toBe(Math.floor(offset / PAGE));
  return row === undefined ? 'page' : 'row';
}

async function damageEverywhere(sound: Buffer, seed: number) {
  const random = seededRandom(seed);
  const counts = new Map<string, number>();
  for (let round = 0; round < 400; round++) {
    const damaged = Buffer.from(sound);
    const at = random.integer(damaged.length);
    // Half of them hit headers of pages and elements, where there is structure.
    const place = round % 2 === 0 ? at : at - (at % PAGE) + (at % 64);
    damaged[place] = (damaged[place] ?? 0) ^ (1 << random.integer(8));
    const what = (await outcome(damaged)).split(' ')[0] ?? '';
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}

async function ownFile(): Promise<{ directory: string; path: string }> {
  const directory = await tempDir();
  const backend = await LmdbBackend.open({ directory, clock: nodeClock });
  for (const [key, value] of rows) backend.put('key', key, value);
  const [key, large] = keyRow({ main: 3000, key: 'large', value: 'y'.repeat(30_000) });
  backend.put('key', key, large);
  await backend.close();
  return { directory, path: join(directory, LMDB_FILE_NAME) };
}

describe('the check of a bbolt file', () => {
  const sound = bboltImage({ key: rows, meta: [] });

  it('finds a sound one sound', async () => {
    const verdict = await verifyFile(await withFile(sound), '/db');
    expect(verdict).toMatchObject({
      isSound: true,
      kind: 'bbolt',
      checked: { revision: 2001, buckets: [{ name: 'key', rows: 2000 }, { name: 'meta' }] },
    });
  });

  it('never fails in another way, whatever bit is flipped', async () => {
    const counts = await damageEverywhere(sound, 5);
    expect(counts.get('page')).toBeGreaterThan(30);
    expect(counts.get('row')).toBeGreaterThan(5);
  });

  it('says what is left: buckets, rows and the last revision before the damage', async () => {
    const damaged = Buffer.from(sound);
    // The leaves lie in order: the tenth page is one of them.
    damaged.fill(0xff, 10 * PAGE + 16, 10 * PAGE + 32);
    const verdict = await verifyFile(await withFile(damaged), '/db');
    if (verdict.isSound) throw new Error('not found');
    expect(verdict.damage).toMatchObject({ page: 10, row: undefined });
    const [key, meta] = verdict.salvage.buckets;
    expect(key).toMatchObject({ name: 'key', isWhole: false });
    expect(key?.rows).toBeGreaterThan(100);
    expect(key?.upToRevision).toBe((key?.rows ?? 0) + 1);
    expect(meta).toMatchObject({ name: 'meta', isWhole: true });
    expect(verdict.salvage.scannedRevision).toBe(2001);
    expect(verdict.salvage.scannedKeyRows).toBeGreaterThan(1900);
  });

  it('is an error for every prefix', async () => {
    for (let length = 0; length < sound.length; length += 7919) {
      expect(await outcome(sound.subarray(0, length))).toBe('page');
    }
  });

  it('looks at the hash of a snapshot', async () => {
    const hash = createHash('sha256').update(sound).digest();
    expect(await outcome(Buffer.concat([sound, hash]))).toMatch(/^sound/);
    hash[3] = (hash[3] ?? 0) ^ 1;
    const verdict = await verifyFile(await withFile(Buffer.concat([sound, hash])), '/db');
    expect(verdict).toMatchObject({ damage: { page: undefined } });
  });

  it('tells a row that contradicts itself', async () => {
    const [first, second] = [rows[0], rows[1]];
    if (first === undefined || second === undefined) throw new Error('no rows');
    const image = bboltImage({ key: [first, [second[0], first[1]]], meta: [] });
    const verdict = await verifyFile(await withFile(image), '/db');
    expect(verdict).toMatchObject({
      damage: {
        reason: 'its value is of revision 2',
        row: { bucket: 'key', key: second[0].toString('hex') },
      },
    });
  });
});

describe('the check of a file of ours', () => {
  it('finds a sound one sound, and damage wherever it is', async () => {
    const { path } = await ownFile();
    const sound = await readFile(path);
    const verdict = await verifyFile(nodeFs, path);
    expect(verdict).toMatchObject({ isSound: true, kind: 'lmdb', checked: { revision: 3000 } });
    const counts = await damageEverywhere(sound, 9);
    expect(counts.get('page')).toBeGreaterThan(30);
  });

  it('is a command that fails for a damaged one and names the page', async () => {
    const { path, directory } = await ownFile();
    const good = await runCommand(DbVerify, [directory, '-w', 'json']);
    expect(JSON.parse(good.stdout)).toMatchObject({ path, sound: true, revision: 3000 });
    expect(good.exitCode).toBe(0);
    const bytes = await readFile(path);
    const isLeaf = (page: number) => bytes.readUInt16LE(page * PAGE + 18) === 2;
    const page = Array.from({ length: bytes.length / PAGE }, (_, index) => index)
      .slice(20)
      .find(isLeaf);
    if (page === undefined) throw new Error('no leaf');
    bytes.fill(0xee, page * PAGE + 24, page * PAGE + 60);
    await writeFile(path, bytes);
    const bad = await runCommand(DbVerify, [path]);
    expect(bad.stdout).toContain(`${path}: DAMAGED: `);
    expect(bad.stdout).toMatch(new RegExp(`page ${page}\\b`));
    expect(bad.stdout).toMatch(/ {2}key: only the first \d+ rows, up to revision \d+\n/);
    expect(bad.exitCode).toBe(1);
  });
});

describe.skipIf(fixtures === undefined)('the check of what real etcds left', () => {
  it.each(['v3.4.23', 'v3.5.30'])('finds snapshots and directories sound (%s)', async (version) => {
    const snapshot = gunzipSync(readFileSync(`${fixtures}/${version}.snapshot.db.gz`));
    expect(await outcome(snapshot)).toMatch(/^sound/);
    const directory = await tempDir();
    const data = unpackRealEtcd(version.slice(1), directory);
    expect((await verifyFile(nodeFs, data)).isSound).toBe(true);
    const { stdout, exitCode } = await runCommand(VerifyCommand, ['--data-dir', data]);
    expect(stdout).toMatch(/\nthey fit together\n$/);
    expect(exitCode).toBe(0);
  });

  it('tells a database that does not belong to its log', async () => {
    const directory = await tempDir();
    const data = unpackRealEtcd('3.5.30', directory);
    const index = Buffer.alloc(8);
    const term = Buffer.alloc(8);
    term.writeBigUInt64BE(9n);
    const write = async (consistentIndex: bigint) => {
      index.writeBigUInt64BE(consistentIndex);
      const meta = [
        [Buffer.from('consistent_index'), index],
        [Buffer.from('storageVersion'), Buffer.from('3.9.0')],
        [Buffer.from('term'), term],
      ] as const;
      await writeFile(join(data, 'member/snap/db'), bboltImage({ key: [], meta: [...meta] }));
      return runCommand(VerifyCommand, ['--data-dir', data, '-w', 'json']);
    };
    const ahead = await write(5000n);
    expect(JSON.parse(ahead.stdout)).toMatchObject({
      commit: 364,
      consistentIndex: 5000,
      problems: [
        'version "3.9.0" is not supported',
        'backend.ConsistentIndex (5000) must be <= WAL.HardState.commit (364)',
        'backend.Term (9) must be <= WAL.HardState.term (2)',
      ],
    });
    expect(ahead.exitCode).toBe(1);
    expect((await write(3n)).stderr).toContain(
      'backend.ConsistentIndex (3) must be >= last snapshot index (201)',
    );
  });
});
