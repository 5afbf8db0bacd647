import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { LiveKeys } from '../../src/offline/live-keys.js';
import { snapshotStatus } from '../../src/offline/snapshot-status.js';
import { MemoryFs } from '../../src/platform/memory-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { BboltError } from '../../src/storage/bbolt/bbolt-error.js';
import { putFile } from '../storage/wal/support.js';
import { sharedPath } from '../support/shared.js';

const fixtures = sharedPath('fixtures');

function fixture(name: string): Buffer {
  return readFileSync(`${fixtures}/${name}`);
}

async function statusOf(bytes: Buffer) {
  const fs = new MemoryFs({ tracked: false });
  await putFile(fs, '/db', bytes);
  return snapshotStatus(fs, '/db');
}

describe.skipIf(fixtures === undefined)('the status of a snapshot of a real etcd', () => {
  it.each(['v3.4.23', 'v3.5.30'])('is what etcd says of it (%s)', async (version) => {
    const status = await statusOf(gunzipSync(fixture(`${version}.snapshot.db.gz`)));
    const recorded = JSON.parse(fixture(`${version}.snapshot-status.json`).toString());
    const keys = JSON.parse(fixture(`${version}.all-keys.json`).toString());
    // These versions count the pairs of all buckets; since 3.6 it is the keys that exist.
    expect(status).toEqual({ ...recorded, totalKey: keys.count, version: '' });
  });

  it('is an error that names the place, or none, however the file was damaged', async () => {
    const sound = gunzipSync(fixture('v3.5.30.snapshot.db.gz'));
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

  it('is an error for every prefix that lacks a page', async () => {
    const sound = gunzipSync(fixture('v3.4.23.snapshot.db.gz'));
    for (let length = 0; length < sound.length - 32; length += 1021) {
      await expect(statusOf(sound.subarray(0, length))).rejects.toThrow(BboltError);
    }
  });
});

describe('live keys', () => {
  it('are counted as a set would count them', () => {
    const random = seededRandom(3);
    const counted = new LiveKeys();
    const expected = new Set<string>();
    for (let round = 0; round < 50_000; round++) {
      const key = `key-${Math.floor(random.float() * 20_000)}`;
      if (random.float() < 0.7) {
        expected.add(key);
        counted.put(Buffer.from(key));
      } else {
        expected.delete(key);
        counted.delete(Buffer.from(key));
      }
    }
    expect(counted.count).toBe(expected.size);
  });
});
