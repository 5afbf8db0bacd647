import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isDatabaseDamage } from '../../src/offline/database.js';
import { fileHashKv } from '../../src/offline/file-hash-kv.js';
import { DatabaseRowError } from '../../src/offline/row-error.js';
import { SnapshotChecksumError } from '../../src/offline/snapshot-checksum.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { encodeRevisionKey } from '../../src/storage/mvcc/revision-key.js';
import { unpackRealEtcd } from '../support/recorded-directory.js';
import { sharedPath } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';
import { bboltImage, keyRow, withFile } from './support.js';

const fixtures = sharedPath('fixtures');

function recorded(version: string): { hash: number; compact_revision: number; revision: number } {
  const [first] = JSON.parse(readFileSync(`${fixtures}/${version}.hashkv.json`, 'utf8'));
  return { ...first.HashKV, revision: first.HashKV.header.revision };
}

describe.skipIf(fixtures === undefined)('the hash of a file of a real etcd', () => {
  it.each(['v3.4.23', 'v3.5.30'])('is what its HashKV answered (%s)', async (version) => {
    const { hash, compact_revision: compactRevision, revision } = recorded(version);
    const directory = await tempDir();
    const data = unpackRealEtcd(version.slice(1), directory);
    const expected = { hash, compactRevision, revision };
    expect(await fileHashKv(nodeFs, data, 0)).toEqual(expected);
    const fs = await withFile(gunzipSync(readFileSync(`${fixtures}/${version}.snapshot.db.gz`)));
    expect(await fileHashKv(fs, '/db', 0)).toEqual(expected);
    expect(await fileHashKv(fs, '/db', revision)).toEqual(expected);
  });

  it('is refused outside of what is kept', async () => {
    const fs = await withFile(gunzipSync(readFileSync(`${fixtures}/v3.5.30.snapshot.db.gz`)));
    await expect(fileHashKv(fs, '/db', 55)).rejects.toThrow(
      'mvcc: required revision has been compacted',
    );
    await expect(fileHashKv(fs, '/db', 347)).rejects.toThrow(
      'mvcc: required revision is a future revision',
    );
  });

  it('is an error that names the file, whatever bit of a snapshot was flipped', async () => {
    const sound = gunzipSync(readFileSync(`${fixtures}/v3.5.30.snapshot.db.gz`));
    const random = seededRandom(11);
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(sound);
      const at = Math.floor(random.float() * damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random.float() * 8));
      const error: unknown = await fileHashKv(await withFile(damaged), '/db', 0).catch(
        (reason: unknown) => reason,
      );
      const isKnown =
        isDatabaseDamage(error) ||
        error instanceof DatabaseRowError ||
        error instanceof SnapshotChecksumError;
      if (!isKnown) throw error;
      expect(error.message).toMatch(/^\/db: /);
    }
  });
});

describe('the hash of a file', () => {
  const rows = [
    keyRow({ main: 2, key: 'a', value: '1' }),
    keyRow({ main: 3, key: 'b', value: '1' }),
    keyRow({ main: 4, key: 'a', value: '2', create: 2, version: 2 }),
    keyRow({ main: 5, key: 'b' }),
  ];

  /** As a compaction to revision 4 leaves it, and as it is before its rows are gone. */
  const hashWith = async (meta: string, kept: typeof rows) => {
    const mark = [Buffer.from(meta), encodeRevisionKey(4, 0)] as const;
    return fileHashKv(await withFile(bboltImage({ key: kept, meta: [mark] })), '/db', 0);
  };

  it('is that of the store whether a compaction has ended or has only been decided', async () => {
    const done = await hashWith('finishedCompactRev', rows.slice(2));
    expect(await hashWith('scheduledCompactRev', rows.slice(2))).toEqual(done);
    expect(done).toMatchObject({ compactRevision: 4, revision: 5 });
    // What the compaction has not deleted yet is left out because key a is visible.
    const [first, , ...rest] = rows;
    if (first === undefined) throw new Error('no row');
    expect(await hashWith('scheduledCompactRev', [first, ...rest])).toEqual(done);
  });

  it('of an empty store is that of its revision 1', async () => {
    const fs = await withFile(bboltImage({ key: [], meta: [] }));
    const expected = { hash: 1084519789, compactRevision: -1, revision: 1 };
    expect(await fileHashKv(fs, '/db', 0)).toEqual(expected);
  });
});
