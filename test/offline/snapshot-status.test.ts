import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LiveKeyCount } from '../../src/offline/live-key-count.js';
import { SnapshotChecksumError } from '../../src/offline/snapshot-checksum.js';
import {
  type SnapshotStatusOptions,
  snapshotStatus,
  summaryBefore36,
} from '../../src/offline/snapshot-status.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { BboltError } from '../../src/storage/bbolt/bbolt-error.js';
import { BboltFile } from '../../src/storage/bbolt/bbolt-file.js';
import type { StoredElement } from '../../src/storage/bbolt/leaf.js';
import { putFile } from '../storage/wal/support.js';
import { runBinary } from '../support/run-binary.js';
import { sharedPath } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';

const fixtures = sharedPath('fixtures');

function fixture(name: string): Buffer {
  return readFileSync(`${fixtures}/${name}`);
}

async function statusOf(bytes: Buffer, options: SnapshotStatusOptions = {}) {
  const fs = new MemoryFs({ tracked: false });
  await putFile(fs, '/db', bytes);
  return snapshotStatus(fs, '/db', options);
}

/** The only row of a table, by heading; boxes may be of ASCII or of Unicode. */
function cells(table: string): Record<string, string> {
  const [head = [], row = []] = table
    .split('\n')
    .filter((line) => /^[|│]/.test(line))
    .map((line) => line.split(/[|│]/).map((cell) => cell.trim()));
  return Object.fromEntries(head.slice(1, -1).map((name, at) => [name, row[at + 1] ?? '']));
}

describe.skipIf(fixtures === undefined)('the status of a snapshot of a real etcd', () => {
  it.each(['v3.4.23', 'v3.5.30'])('is what etcd says of it (%s)', async (version) => {
    const status = await statusOf(gunzipSync(fixture(`${version}.snapshot.db.gz`)));
    const recorded = JSON.parse(fixture(`${version}.snapshot-status.json`).toString());
    const keys = JSON.parse(fixture(`${version}.all-keys.json`).toString());
    expect(summaryBefore36(status)).toEqual(recorded);
    // These versions count the pairs of all buckets; since 3.6 it is the keys that exist.
    const { totalKey: totalPairs } = recorded;
    expect(status).toEqual({ ...recorded, totalPairs, totalKey: keys.count, version: '' });
  });

  it.each(['v3.4.23', 'v3.5.30'])('is told by etcdctl as etcd told it (%s)', async (version) => {
    const path = join(await tempDir(), 'snapshot.db');
    await writeFile(path, gunzipSync(fixture(`${version}.snapshot.db.gz`)));
    const told = async (format: string) =>
      (await runBinary('etcdctl', ['snapshot', 'status', '-w', format, path])).stdout.toString();
    expect(await told('json')).toBe(fixture(`${version}.snapshot-status.json`).toString());
    const recorded = cells(fixture(`${version}.snapshot-status.table.txt`).toString());
    expect(cells(await told('table'))).toEqual(recorded);
    const { HASH, REVISION } = recorded;
    const simple = [HASH, REVISION, recorded['TOTAL KEYS'], recorded['TOTAL SIZE']].join(', ');
    expect(await told('simple')).toBe(`${simple}\n`);
    expect(await told('fields')).not.toContain('Version');
  });

  it.each(['v3.4.23', 'v3.5.30'])('has the keys that exist for etcdutl (%s)', async (version) => {
    const path = join(await tempDir(), 'snapshot.db');
    await writeFile(path, gunzipSync(fixture(`${version}.snapshot.db.gz`)));
    const { stdout } = await runBinary('etcdutl', ['snapshot', 'status', '-w', 'table', path]);
    const { count } = JSON.parse(fixture(`${version}.all-keys.json`).toString());
    const recorded = cells(fixture(`${version}.snapshot-status.table.txt`).toString());
    expect(cells(stdout.toString())).toEqual({
      ...recorded,
      'TOTAL KEYS': String(count),
      VERSION: '',
    });
  });

  it('is an error that names the place, or none, however the file was damaged', async () => {
    // Without its hash, as a copy of a member's db.
    const sound = gunzipSync(fixture('v3.5.30.snapshot.db.gz')).subarray(0, -32);
    const random = seededRandom(7);
    const expected = await statusOf(sound);
    const answers = { error: 0, other: 0, same: 0 };
    for (let round = 0; round < 400; round++) {
      const damaged = Buffer.from(sound);
      const at = Math.floor(random.float() * damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random.float() * 8));
      try {
        const { hash } = await statusOf(damaged);
        answers[hash === expected.hash ? 'same' : 'other']++;
      } catch (error) {
        if (!(error instanceof BboltError)) throw error;
        expect(error.file).toBe('/db');
        answers.error++;
      }
    }
    // Flips in free pages change nothing; those in values change the hash.
    expect(answers.error).toBeGreaterThan(20);
    expect(answers.error + answers.other + answers.same).toBe(400);
  });

  it('is an error for any flip, be it in a free page, if the file ends with a hash', async () => {
    const sound = gunzipSync(fixture('v3.5.30.snapshot.db.gz'));
    const random = seededRandom(9);
    const errors = { tree: 0, hash: 0 };
    for (let round = 0; round < 150; round++) {
      const damaged = Buffer.from(sound);
      // In the hash itself too.
      const at = round < 10 ? sound.length - 1 - round : Math.floor(random.float() * sound.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random.float() * 8));
      const error = await statusOf(damaged).catch((reason: unknown) => reason);
      if (error instanceof SnapshotChecksumError) errors.hash++;
      else if (error instanceof BboltError) errors.tree++;
      else throw new Error(`a flip at ${at} gave ${String(error)}`);
    }
    expect(errors.hash).toBeGreaterThan(20);
    expect(errors.tree).toBeGreaterThan(5);
  });

  it('is the same however few keys may be in memory', async () => {
    const bytes = gunzipSync(fixture('v3.4.23.snapshot.db.gz'));
    const expected = await statusOf(bytes);
    for (const keys of [1, 7, 100]) {
      expect(await statusOf(bytes, { liveKeyLimits: { keys, bytes: 1_000_000 } })).toEqual(
        expected,
      );
    }
  });

  it('names the place of a row that is none', async () => {
    const bytes = Buffer.from(gunzipSync(fixture('v3.4.23.snapshot.db.gz')).subarray(0, -32));
    const fs = new MemoryFs({ tracked: false });
    await putFile(fs, '/db', bytes);
    const file = await BboltFile.open(fs, '/db');
    const bucket = await file.bucket('key');
    if (bucket === undefined) throw new Error('no bucket');
    const rows: StoredElement[] = [];
    for await (const elements of file.rows(bucket)) rows.push(...elements);
    await file.close();
    const offset = rows[rows.length >> 1]?.offset ?? 0;
    // The separator between the two numbers of a revision.
    expect(bytes[offset + 8]).toBe(0x5f);
    bytes[offset + 8] = 0x60;
    const error = await statusOf(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BboltError);
    expect((error as BboltError).message).toContain('cannot parse revision key');
    expect((error as BboltError).offset).toBe(offset);
  });

  it('is an error for every prefix that lacks a page', async () => {
    const sound = gunzipSync(fixture('v3.4.23.snapshot.db.gz'));
    for (let length = 0; length < sound.length - 32; length += 1021) {
      await expect(statusOf(sound.subarray(0, length))).rejects.toThrow(BboltError);
    }
  });
});

describe('live keys', () => {
  interface Change {
    readonly key: Buffer;
    readonly isPut: boolean;
  }

  function counted(changes: readonly Change[], limits?: { keys: number; bytes: number }) {
    const count = new LiveKeyCount(limits);
    for (let passes = 1; ; passes++) {
      for (const { key, isPut } of changes) {
        if (isPut) count.put(key);
        else count.delete(key);
      }
      const keys = count.endPass();
      if (keys !== undefined) return { keys, passes };
    }
  }

  function randomChanges(rounds: number): { changes: Change[]; live: number } {
    const random = seededRandom(3);
    const live = new Set<string>();
    const changes = Array.from({ length: rounds }, () => {
      const key = `key-${Math.floor(random.float() * 20_000)}`;
      const isPut = random.float() < 0.7;
      if (isPut) live.add(key);
      else live.delete(key);
      return { key: Buffer.from(key), isPut };
    });
    return { changes, live: live.size };
  }

  it('are counted as a set would count them', () => {
    const { changes, live } = randomChanges(50_000);
    expect(counted(changes)).toEqual({ keys: live, passes: 1 });
  });

  it('are counted in as many passes as their memory asks for', () => {
    const { changes, live } = randomChanges(20_000);
    const few = counted(changes, { keys: 1000, bytes: 1_000_000 });
    expect(few.keys).toBe(live);
    expect(few.passes).toBeGreaterThan(10);
    const small = counted(changes, { keys: 1_000_000, bytes: 50_000 });
    expect(small.keys).toBe(live);
    expect(small.passes).toBeGreaterThan(2);
  });

  it('may be longer than the pieces that they are kept in', () => {
    const long = Buffer.alloc(3_000_000, 'a');
    const other = Buffer.from(long);
    other[2_999_999] = 1;
    const changes = [long, other, Buffer.from('b'), long].map((key) => ({ key, isPut: true }));
    expect(counted(changes).keys).toBe(3);
  });
});
