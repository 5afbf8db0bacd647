import { silentLogger } from '../../../src/base/logger.js';
import { readDatabase } from '../../../src/offline/database.js';
import { differences } from '../../../src/offline/database-diff.js';
import { decodeRow } from '../../../src/offline/decode-row.js';
import { diskUsage } from '../../../src/offline/disk-usage.js';
import { fileHash } from '../../../src/offline/file-hash.js';
import { fileHashKv } from '../../../src/offline/file-hash-kv.js';
import { liveEntries } from '../../../src/offline/live-entries.js';
import { scanLeaves } from '../../../src/offline/scan-keys.js';
import { type RestoreFormat, restoreSnapshot } from '../../../src/offline/snapshot-restore.js';
import { snapshotStatus } from '../../../src/offline/snapshot-status.js';
import { verifyFile } from '../../../src/offline/verify-file.js';
import type { Fs } from '../../../src/platform/fs.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { putFile } from '../../storage/wal/support.js';
import { bboltImage, keyRow } from '../support.js';
import { DatabaseDamageFound, Digest } from './answers.js';

/** What can be done with a database file; throws if it can't. */
export type FileOperation = (fs: Fs, path: string) => Promise<unknown>;

const PEER = {
  id: 0x1234n,
  peerUrls: ['http://127.0.0.1:2380'],
  context: Buffer.from('{"id":4660,"peerURLs":["http://127.0.0.1:2380"],"name":"m1"}'),
};

/** All rows, as `iterate-bucket` prints them. */
async function contentsOf(fs: Fs, path: string, decodes: boolean): Promise<unknown> {
  return readDatabase(fs, path, async (database) => {
    const buckets: unknown[] = [];
    for await (const bucket of database.buckets()) {
      const digest = new Digest();
      let count = 0;
      for await (const rows of bucket.rows()) {
        for (const row of rows) {
          if (decodes) decodeRow(database.path, bucket.name, row);
          digest.add(...row);
          count++;
        }
      }
      buckets.push([bucket.name, count, digest.toString()]);
    }
    return buckets;
  });
}

/** Has keys that the damaged files have, too, and one that they lack. */
const OTHER_DATABASE = bboltImage({
  cluster: [],
  key: [
    keyRow({ main: 2, key: '/registry/nodes/2', value: Buffer.from('other') }),
    keyRow({ main: 3, key: '/nobody', value: Buffer.from('has it') }),
  ],
  meta: [],
});

/** What `snapshot diff` prints. */
async function compare(fs: Fs, path: string): Promise<unknown> {
  const temporary = '/temporary';
  await fs.makeDirectory(temporary);
  try {
    const other = `${temporary}/other`;
    await putFile(fs, other, OTHER_DATABASE);
    const left = liveEntries(fs, other, { temporary });
    const right = liveEntries(fs, path, { temporary });
    const digest = new Digest();
    let count = 0;
    for await (const { kind, key, ...sides } of differences(left, right)) {
      const text = (_name: string, part: unknown) => (typeof part === 'bigint' ? `${part}` : part);
      digest.add(kind, key, JSON.stringify(sides, text));
      count++;
    }
    return [count, String(digest)];
  } finally {
    await fs.removeTree(temporary);
  }
}

/** Operations on a database of either kind. */
export const DATABASE_OPERATIONS: Readonly<Record<string, FileOperation>> = {
  hashkv: (fs, path) => fileHashKv(fs, path, 0),
  'dump-db hash': (fs, path) => fileHash(fs, path),
  'dump-db iterate-bucket --decode': (fs, path) => contentsOf(fs, path, true),
  'db verify': async (fs, path) => {
    const verdict = await verifyFile(fs, path);
    if (verdict.isSound) {
      const { buckets, hash, revision } = verdict.checked;
      return { buckets, hash, revision };
    }
    throw new DatabaseDamageFound(path, verdict.damage);
  },
  'snapshot diff': compare,
  'data du': async (fs, path) => {
    const { prefixes, total, revision, compactRevision } = await diskUsage(fs, path, {
      depth: 1,
      separator: '/',
    });
    return { prefixes, total, revision, compactRevision };
  },
};

/** Operations on snapshots and on database files of an etcd. */
export const SNAPSHOT_OPERATIONS: Readonly<Record<string, FileOperation>> = {
  'snapshot status': (fs, path) => snapshotStatus(fs, path),
  'snapshot restore --format etcd': (fs, path) => restore(fs, path, 'etcd', '/restored'),
};

/** Every row of `key` on all pages: what `dump-db scan-keys` prints, without the order. */
export async function scannedRows(fs: Fs, path: string): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const leaf of scanLeaves(fs, path)) {
    if ('problem' in leaf) continue;
    for (const [key, value] of leaf.rows)
      found.add(`${key.toString('hex')}=${value.toString('hex')}`);
  }
  return found;
}

/** Restores a snapshot and tells what there is then. */
export async function restore(
  fs: Fs,
  path: string,
  format: RestoreFormat,
  dataDirectory: string,
): Promise<unknown> {
  const walDirectory = `${dataDirectory}/member/wal`;
  await restoreSnapshot({
    fs,
    clock: new ManualClock(),
    logger: silentLogger,
    path,
    dataDirectory,
    walDirectory,
    cluster: { memberId: PEER.id, clusterId: 7n, peers: [PEER] },
    format,
    skipsHashCheck: !path.includes('snapshot'),
    bumpRevision: 0n,
    initialMemoryMapBytes: 0n,
  });
  const { entries, hardState } = await readWal(fs, walDirectory);
  const rows = await contentsOf(fs, dataDirectory, false);
  await fs.removeTree(dataDirectory);
  return { rows, entries: entries.length, hardState };
}
