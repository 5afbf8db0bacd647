import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { nodeClock } from '../../../src/platform/node-clock.js';
import type { Bucket, Row } from '../../../src/storage/backend/backend.js';
import { LMDB_FILE_NAME, LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { encodeRevisionKey } from '../../../src/storage/mvcc/revision-key.js';
import { unpackRealEtcd } from '../../support/recorded-directory.js';
import { sharedPath } from '../../support/shared.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { bboltImage, keyRow } from '../support.js';
import type { SoundFile } from './database-judge.js';
import { bboltContent, lmdbContent } from './extents.js';

export const FIXTURE_VERSIONS = ['3.4.23', '3.5.30'] as const;
export const hasFixtures = sharedPath('fixtures') !== undefined;

/** Snapshots that a real etcd saved, with their hash. */
export function recordedSnapshots(): SoundFile[] {
  return FIXTURE_VERSIONS.map((version) => {
    const path = sharedPath('fixtures', `v${version}.snapshot.db.gz`) ?? '';
    return { name: `snapshot-${version}`, bytes: gunzipSync(readFileSync(path)), content: [] };
  });
}

/** The files of a data directory of a real etcd that was killed: path below `member` to bytes. */
export async function recordedMember(version: string): Promise<Map<string, Buffer>> {
  const directory = await makeTempDir();
  try {
    const member = join(unpackRealEtcd(version, directory.path), 'member');
    const files = new Map<string, Buffer>();
    const wal = 'wal/0000000000000000-0000000000000000.wal';
    const snap = 'snap/0000000000000002-00000000000000c9.snap';
    for (const name of [wal, snap, 'snap/db']) {
      files.set(name, await readFile(join(member, name)));
    }
    return files;
  } finally {
    await directory.remove();
  }
}

/** The database of such a member, without the room for more behind its pages. */
export async function recordedDatabase(version: string): Promise<SoundFile> {
  const whole = (await recordedMember(version)).get('snap/db') ?? Buffer.alloc(0);
  const bytes = withoutRoom(whole);
  return { name: `db-${version}`, bytes, content: bboltContent(bytes) };
}

/** A bbolt file without the room for more behind its pages. */
export function withoutRoom(whole: Buffer): Buffer {
  const end = Math.max(...bboltContent(whole).map((extent) => extent.end));
  return Buffer.from(whole.subarray(0, Math.max(end, highWaterBytes(whole))));
}

function highWaterBytes(bytes: Buffer): number {
  const pages = [0, 1].map((page) => Number(bytes.readBigUInt64LE(page * 4096 + 16 + 40)));
  return Math.max(...pages) * 4096;
}

/** Rows of all kinds: several levels, values on pages of their own, deletions, users, leases. */
export function someRows(): Readonly<Partial<Record<Bucket, readonly Row[]>>> {
  const key: Row[] = [];
  for (let main = 2; main < 140; main++) {
    const name = `/registry/${main % 3 === 0 ? 'pods' : 'nodes'}/${main % 40}`;
    const isDeletion = main % 17 === 0;
    const bytes = main % 25 === 0 ? 9000 : 20 + ((main * 37) % 400);
    const value = isDeletion ? undefined : Buffer.alloc(bytes, `${main},`);
    key.push(keyRow({ main, key: name, ...(value === undefined ? {} : { value }) }));
  }
  const text = (name: string, value: string | Buffer): Row => [
    Buffer.from(name),
    Buffer.from(value),
  ];
  const index = Buffer.alloc(8);
  index.writeBigUInt64BE(150n);
  const member = '{"id":4660,"peerURLs":["http://127.0.0.1:2380"],"name":"m1"}';
  return {
    cluster: [text('clusterVersion', '3.6.0')],
    key,
    members: [text('1234', member)],
    meta: [
      text('confState', '{"voters":[4660],"auto_leave":false}'),
      text('consistent_index', index),
      text('finishedCompactRev', encodeRevisionKey(9, 0)),
      text('scheduledCompactRev', encodeRevisionKey(9, 0)),
      text('storageVersion', '3.6.0'),
      text('term', Buffer.concat([Buffer.alloc(7), Buffer.from([2])])),
    ],
  };
}

export function ourDatabase(): SoundFile {
  const bytes = bboltImage(someRows() as Readonly<Record<string, readonly Row[]>>);
  return { name: 'db-ours', bytes, content: bboltContent(bytes) };
}

export function ourSnapshot(): SoundFile {
  const { bytes } = ourDatabase();
  const hash = createHash('sha256').update(bytes).digest();
  return { name: 'snapshot-ours', bytes: Buffer.concat([bytes, hash]), content: [] };
}

/** A database of ours; with free pages if it was not defragmented. */
export async function ourLmdbDatabase(isDefragmented: boolean): Promise<SoundFile> {
  const directory = await makeTempDir();
  try {
    const options = { directory: directory.path, clock: nodeClock, noSync: true };
    const backend = await LmdbBackend.open(options);
    for (const round of [0, 1, 2]) {
      for (const [bucket, rows] of Object.entries(someRows())) {
        for (const [at, [rowKey, value]] of rows.entries()) {
          if (at % 3 === round) backend.put(bucket as Bucket, rowKey, value);
        }
      }
      await backend.commit();
    }
    if (isDefragmented) await backend.defragment();
    await backend.close();
    const bytes = await readFile(join(directory.path, LMDB_FILE_NAME));
    const name = isDefragmented ? 'db-lmdb' : 'db-lmdb-with-free-pages';
    return { name, bytes, content: lmdbContent(bytes) };
  } finally {
    await directory.remove();
  }
}
