import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../../src/base/logger.js';
import {
  BboltError,
  RestoreError,
  restoreSnapshot,
  SnapshotChecksumError,
  type SnapshotRestoreOptions,
} from '../../src/offline/snapshot-restore.js';
import { snapshotStatus } from '../../src/offline/snapshot-status.js';
import { acquireDirectoryLock, DirectoryLockedError } from '../../src/platform/directory-lock.js';
import type { Fs } from '../../src/platform/fs.js';
import { ManualClock } from '../../src/platform/manual-clock.js';
import {
  type CrashMode,
  type FsOperation,
  MemoryFs,
  type MemoryFsOptions,
} from '../../src/platform/memory-fs.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { ConfChange } from '../../src/proto/gen/raftpb/raft.js';
import { planCluster } from '../../src/server/bootstrap/new-member.js';
import { BUCKETS } from '../../src/storage/backend/backend.js';
import { LmdbFile } from '../../src/storage/backend/lmdb-file.js';
import { BboltFile } from '../../src/storage/bbolt/bbolt-file.js';
import { Snapshotter } from '../../src/storage/snap/snapshotter.js';
import { decodeV2Store } from '../../src/storage/snap/v2-store-json.js';
import { readWal, validSnapshots } from '../../src/storage/wal/reader.js';
import { decodeWalIdentity } from '../../src/storage/wal/record-types.js';
import { fileBytes, putFile } from '../storage/wal/support.js';
import { sharedPath } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';

const fixtures = sharedPath('fixtures');
const PEERS = new Map([
  ['m1', ['http://10.0.0.1:2380']],
  ['m2', ['http://10.0.0.2:2380', 'http://10.0.0.2:2381']],
  ['m3', ['http://10.0.0.3:2380']],
]);
const SOURCE = '/backup/s.db';
const CRASH_MODES: readonly CrashMode[] = ['keep', 'lose', 'tear', 'garble'];

function snapshotBytes(version = 'v3.5.30'): Buffer {
  return gunzipSync(readFileSync(`${fixtures}/${version}.snapshot.db.gz`));
}

function clusterOf(name: string) {
  const advertisedPeerUrls = PEERS.get(name) ?? [];
  return planCluster({ name, peerUrls: PEERS, advertisedPeerUrls, token: 'tok' });
}

async function disk(bytes = snapshotBytes(), options: MemoryFsOptions = {}): Promise<MemoryFs> {
  const fs = new MemoryFs(options);
  await fs.makeDirectory('/backup');
  await fs.makeDirectory('/out');
  await putFile(fs, SOURCE, bytes);
  await fs.syncDirectory('/backup');
  await fs.syncDirectory('/');
  return fs;
}

function restore(fs: Fs, options: Partial<SnapshotRestoreOptions> = {}): Promise<void> {
  return restoreSnapshot({
    fs,
    clock: new ManualClock(),
    logger: silentLogger,
    path: SOURCE,
    dataDirectory: '/out/data',
    walDirectory: '/out/data/member/wal',
    cluster: clusterOf('m2'),
    format: 'etcd',
    skipsHashCheck: false,
    bumpRevision: 0n,
    initialMemoryMapBytes: 0n,
    ...options,
  });
}

async function rowsOf(fs: Fs, path: string, name: string): Promise<[string, Buffer][]> {
  const file = await BboltFile.open(fs, path);
  const bucket = await file.bucket(name);
  if (bucket === undefined) throw new Error(`no bucket ${name}`);
  const rows: [string, Buffer][] = [];
  for await (const elements of file.rows(bucket)) {
    for (const { key, value } of elements) rows.push([key.toString('latin1'), Buffer.from(value)]);
  }
  await file.close();
  return rows;
}

async function treeOf(fs: Fs, path: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of await fs.readDirectory(path)) {
    const at = join(path, name);
    names.push(at);
    if ((await fs.stat(at))?.isDirectory === true) names.push(...(await treeOf(fs, at)));
  }
  return names;
}

describe.skipIf(fixtures === undefined)('a restored directory for etcd', () => {
  it.each(['v3.4.23', 'v3.5.30'])('has all keys of %s and the new members', async (version) => {
    const fs = await disk(snapshotBytes(version));
    await restore(fs);
    const db = '/out/data/member/snap/db';
    const before = await snapshotStatus(fs, SOURCE);
    const after = await snapshotStatus(fs, db);
    expect(after).toMatchObject({ revision: before.revision, totalKey: before.totalKey });
    expect(await rowsOf(fs, db, 'key')).toEqual(await rowsOf(fs, SOURCE, 'key'));
    for (const bucket of ['alarm', 'auth', 'authRoles', 'authUsers', 'cluster', 'lease']) {
      expect(await rowsOf(fs, db, bucket)).toEqual(await rowsOf(fs, SOURCE, bucket));
    }
    const { peers } = clusterOf('m2');
    const members = peers.map(({ id, context }) => [id.toString(16), context.toString()]);
    const stored = await rowsOf(fs, db, 'members');
    expect(stored.map(([key, value]) => [key, value.toString()])).toEqual(members.sort());
    expect(await rowsOf(fs, db, 'members_removed')).toEqual([]);
    const meta = new Map(await rowsOf(fs, db, 'meta'));
    expect(meta.get('consistent_index')?.readBigUInt64BE()).toBe(3n);
    expect(meta.get('term')?.readBigUInt64BE()).toBe(1n);
    const old = new Map(await rowsOf(fs, SOURCE, 'meta'));
    expect(meta.get('finishedCompactRev')).toEqual(old.get('finishedCompactRev'));
    const ids = peers.map(({ id }) => String(id)).join();
    const confState = old.has('confState') ? `{"voters":[${ids}],"auto_leave":false}` : undefined;
    expect(meta.get('confState')?.toString()).toBe(confState);
  });

  it('has a log that begins with its members, and a snapshot that vouches for them', async () => {
    const fs = await disk();
    const lines: [string, LogFields | undefined][] = [];
    const info = (message: string, fields?: LogFields) => void lines.push([message, fields]);
    await restore(fs, { logger: { ...silentLogger, info } as Logger });
    const { memberId, clusterId, peers } = clusterOf('m2');
    const [start] = (await validSnapshots(fs, '/out/data/member/wal')).slice(-1);
    expect(start).toMatchObject({ index: 3, term: 1 });
    const wal = await readWal(fs, '/out/data/member/wal', { index: 0, term: 0 });
    expect(decodeWalIdentity(wal.metadata)).toEqual({ memberId, clusterId });
    expect(wal.hardState).toEqual({ term: 1, vote: peers[0]?.id, commit: 3 });
    const changes = wal.entries.map(({ data }) => ConfChange.decode(data));
    expect(changes.map(({ nodeId }) => nodeId)).toEqual(peers.map(({ id }) => id));
    expect(changes.map(({ context }) => context)).toEqual(peers.map(({ context }) => context));
    expect(wal.entries.map(({ term, index }) => [term, index])).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
    const clock = new ManualClock();
    const snapshot = await new Snapshotter(fs, '/out/data/member/snap', { clock }).load();
    expect(snapshot).toMatchObject({ index: 3, term: 1 });
    expect(snapshot.confState.voters).toEqual(peers.map(({ id }) => id));
    const { members, removed } = decodeV2Store(snapshot.data);
    expect(members.map(({ id }) => id)).toEqual(peers.map(({ id }) => id));
    expect(members.find(({ id }) => id === memberId)?.peerUrls).toEqual(PEERS.get('m2'));
    expect(removed).toEqual([]);
    expect(lines.map(([message]) => message)).toEqual([
      'restoring snapshot',
      'Trimming membership information from the backend...',
      'added member',
      'added member',
      'added member',
      'restored snapshot',
    ]);
    expect(lines[0]?.[1]).toMatchObject({ path: SOURCE, 'snap-dir': '/out/data/member/snap' });
  });

  it('ends with an empty row at the bumped revision, and counts as compacted up to it', async () => {
    for (const version of ['v3.4.23', 'v3.5.30']) {
      const fs = await disk(snapshotBytes(version));
      const before = await snapshotStatus(fs, SOURCE);
      await restore(fs, { bumpRevision: 1_000_000_000n });
      const after = await snapshotStatus(fs, '/out/data/member/snap/db');
      const bumped = before.revision + 1_000_000_000;
      expect(after.revision).toBe(bumped);
      expect(after.totalKey).toBe(before.totalKey + 1);
      const rows = await rowsOf(fs, '/out/data/member/snap/db', 'key');
      expect(rows.slice(0, -1)).toEqual(await rowsOf(fs, SOURCE, 'key'));
      const [key = '', value] = rows.at(-1) ?? [];
      expect(Buffer.from(key, 'latin1').readBigUInt64BE()).toBe(BigInt(bumped));
      expect(value).toHaveLength(0);
      const meta = new Map(await rowsOf(fs, '/out/data/member/snap/db', 'meta'));
      expect(meta.get('scheduledCompactRev')?.toString('latin1')).toBe(key);
    }
  });
});

/** An error of each kind, with what must be said of it. */
const REFUSED: readonly [string, Partial<SnapshotRestoreOptions>, RegExp | string][] = [
  ['a missing file', { path: '/backup/none.db' }, /ENOENT.*none\.db/],
  [
    'a directory that holds something',
    { dataDirectory: '/backup' },
    'data-dir "/backup" not empty or could not be read',
  ],
  [
    'a file in the place of a directory',
    { dataDirectory: SOURCE },
    `data-dir "${SOURCE}" not empty or could not be read`,
  ],
  ['a log directory that exists', { walDirectory: '/out' }, 'wal-dir "/out" exists'],
  ['too high a revision', { bumpRevision: 2n ** 63n }, /--bump-revision \d+ is too large/],
];

describe.skipIf(fixtures === undefined)('a restore that fails', () => {
  it.each(REFUSED)('because of %s leaves nothing behind', async (_, options, message) => {
    const fs = await disk();
    const before = await treeOf(fs, '/');
    await expect(restore(fs, options)).rejects.toThrow(message);
    expect(await treeOf(fs, '/')).toEqual(before);
  });

  it.each(['etcd', 'etcdkit'] as const)(
    'for its hash leaves nothing behind (%s)',
    async (format) => {
      const directory = await tempDir();
      const path = join(directory, 's.db');
      const sound = snapshotBytes();
      const options = {
        path,
        dataDirectory: join(directory, 'data'),
        walDirectory: join(directory, 'data/member/wal'),
        format,
      };
      await writeFile(path, sound.subarray(0, -32));
      const missing = await restore(nodeFs, options).catch((error: unknown) => error);
      expect(missing).toBeInstanceOf(RestoreError);
      expect(missing).toMatchObject({
        message: 'snapshot missing hash but --skip-hash-check=false',
        hint: "a copy of a member's db has no hash: restore it with --skip-hash-check",
      });
      const flipped = Buffer.from(sound);
      flipped[sound.length - 1] = (flipped[sound.length - 1] ?? 0) ^ 1;
      await writeFile(path, flipped);
      const numbers = (bytes: Buffer) => `[${[...bytes].join(' ')}]`;
      const right = createHash('sha256').update(sound.subarray(0, -32)).digest();
      await expect(restore(nodeFs, options)).rejects.toThrow(
        new SnapshotChecksumError(
          `expected sha256 ${numbers(flipped.subarray(-32))}, got ${numbers(right)}`,
        ),
      );
      expect(await readdir(directory)).toEqual(['s.db']);
      // It is then cut off and not looked at; so is what is missing.
      await restore(nodeFs, { ...options, skipsHashCheck: true });
      await writeFile(path, sound.subarray(0, -32));
      const other = join(directory, 'other');
      await restore(nodeFs, {
        ...options,
        skipsHashCheck: true,
        dataDirectory: other,
        walDirectory: join(other, 'member/wal'),
      });
    },
  );

  it.each([
    ['etcd', 0n],
    ['etcdkit', 0n],
    ['etcd', 5n],
  ] as const)('because of damage leaves nothing behind (%s, %d)', async (format, bumpRevision) => {
    const directory = await tempDir();
    const sound = snapshotBytes().subarray(0, -32);
    const random = seededRandom(11);
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const damaged = Buffer.from(sound);
      const at = Math.floor(random.float() * damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random.float() * 8));
      const path = join(directory, 's.db');
      await writeFile(path, damaged);
      const data = join(directory, `data-${round}`);
      try {
        await restore(nodeFs, {
          path,
          dataDirectory: data,
          walDirectory: join(data, 'member/wal'),
          format,
          bumpRevision,
          skipsHashCheck: true,
        });
      } catch (error) {
        if (!(error instanceof BboltError)) throw error;
        refused++;
        expect((await readdir(directory)).filter((name) => name.includes(`-${round}`))).toEqual([]);
      }
    }
    expect(refused).toBeGreaterThan(3);
  });

  it('leaves nothing behind, whichever operation of the disk fails', async () => {
    const operations: readonly FsOperation[] = [
      'open',
      'read',
      'write',
      'sync',
      'truncate',
      'makeDirectory',
      'rename',
      'syncDirectory',
    ];
    for (const operation of operations) {
      let failures = 0;
      for (let skip = 0; ; skip++) {
        const fs = await disk();
        const before = await treeOf(fs, '/');
        fs.failNext({ operation, code: 'EIO', skip });
        const options = { dataDirectory: '/out/data', walDirectory: '/out/logs' };
        const error = await restore(fs, options).catch((reason: unknown) => reason);
        if (error === undefined) break;
        failures++;
        expect(error, `${operation} ${skip}`).toBeInstanceOf(Error);
        expect(await treeOf(fs, '/'), `${operation} ${skip}`).toEqual(before);
      }
      expect(failures, operation).toBeGreaterThan(0);
    }
  });

  it.each(['etcd', 'etcdkit'] as const)(
    'leaves nothing when it is stopped (%s)',
    async (format) => {
      const directory = await tempDir();
      const path = join(directory, 's.db');
      await writeFile(path, snapshotBytes());
      const data = join(directory, 'data');
      let steps = 0;
      for (let last = 0; ; last++) {
        const controller = new AbortController();
        steps = 0;
        const stopped = await restore(nodeFs, {
          path,
          dataDirectory: data,
          walDirectory: join(data, 'member/wal'),
          format,
          signal: controller.signal,
          onProgress: () => {
            if (steps++ === last) controller.abort('stop');
          },
        }).catch((reason: unknown) => reason);
        if (stopped === undefined) break;
        expect(stopped).toBe('stop');
        expect(await readdir(directory)).toEqual(['s.db']);
      }
      expect(steps).toBeGreaterThan(0);
    },
  );

  it('tells a full disk as etcd does, and leaves nothing behind', async () => {
    const fs = await disk();
    const before = await treeOf(fs, '/');
    fs.limitSpace(40_000);
    await expect(restore(fs)).rejects.toThrow(/^write \/out\/.*\/db: no space left on device$/);
    expect(await treeOf(fs, '/')).toEqual(before);
  });

  it('is there whole or not at all after a power loss', async () => {
    const random = seededRandom(5);
    const seen = { whole: 0, none: 0 };
    for (let round = 0; round < 60; round++) {
      const left = { operations: Number.POSITIVE_INFINITY };
      const first = await disk(snapshotBytes(), {
        pace: async () => {
          if (left.operations-- < 0) throw new Error('power is lost');
        },
      });
      left.operations = Math.floor(random.float() * 140);
      await restore(first).catch(() => {});
      left.operations = Number.POSITIVE_INFINITY;
      const fs = first.crash(random, CRASH_MODES[round % CRASH_MODES.length] ?? 'lose');
      if ((await fs.stat('/out/data')) === undefined) {
        seen.none++;
        continue;
      }
      seen.whole++;
      await snapshotStatus(fs, '/out/data/member/snap/db');
      expect((await validSnapshots(fs, '/out/data/member/wal')).at(-1)?.index).toBe(3);
    }
    expect(seen.none).toBeGreaterThan(5);
  });
});

describe.skipIf(fixtures === undefined)('a restore', () => {
  it('takes an empty directory, for it may be a volume, and removes what a killed run left', async () => {
    const fs = await disk();
    await fs.makeDirectory('/out/data/.restore.tmp/made', { recursive: true });
    await putFile(fs, '/out/data/.restore.tmp/made/half', Buffer.from('half'));
    await restore(fs);
    expect(await fs.readDirectory('/out/data')).toEqual(['member']);
    expect(await fs.readDirectory('/out/data/member')).toEqual(['snap', 'wal']);
  });

  it('makes the directories above, and a log elsewhere', async () => {
    const fs = await disk();
    await restore(fs, { dataDirectory: '/out/a/b/', walDirectory: '/fast/log' });
    expect(await treeOf(fs, '/out')).toEqual([
      '/out/a',
      '/out/a/b',
      '/out/a/b/member',
      '/out/a/b/member/snap',
      '/out/a/b/member/snap/0000000000000001-0000000000000003.snap',
      '/out/a/b/member/snap/db',
    ]);
    expect(await treeOf(fs, '/fast')).toEqual([
      '/fast/log',
      '/fast/log/0000000000000000-0000000000000000.wal',
    ]);
  });

  it('is alone at its place', async () => {
    const directory = await tempDir();
    const path = join(directory, 's.db');
    await writeFile(path, snapshotBytes());
    const data = join(directory, 'data');
    const options = { path, dataDirectory: data, walDirectory: join(data, 'member/wal') };
    await nodeFs.makeDirectory(`${data}.restore.tmp`);
    const lock = await acquireDirectoryLock(`${data}.restore.tmp`);
    const second = restore(nodeFs, { ...options, takeDirectory: acquireDirectoryLock });
    await expect(second).rejects.toThrow(DirectoryLockedError);
    await lock.release();
    await restore(nodeFs, { ...options, takeDirectory: acquireDirectoryLock });
    expect((await readdir(directory)).sort()).toEqual(['data', 's.db']);
  });

  it('does not touch the snapshot, and tells how far it is', async () => {
    const fs = await disk();
    const before = await fileBytes(fs, SOURCE);
    const told: [number, number][] = [];
    await restore(fs, { onProgress: (done, total) => void told.push([done, total]) });
    expect((await fileBytes(fs, SOURCE)).equals(before)).toBe(true);
    expect(told.length).toBeGreaterThan(0);
    expect(told.every(([done, total]) => done <= total && total === before.length)).toBe(true);
  });

  it('gives our own server the same rows as an etcd', async () => {
    const directory = await tempDir();
    const path = join(directory, 's.db');
    await writeFile(path, snapshotBytes());
    for (const format of ['etcd', 'etcdkit'] as const) {
      const data = join(directory, format);
      const bumpRevision = 7n;
      const walDirectory = join(data, 'member/wal');
      await restore(nodeFs, { path, dataDirectory: data, walDirectory, format, bumpRevision });
    }
    const lmdb = await LmdbFile.open(nodeFs, join(directory, 'etcdkit/member/snap/db.lmdb'));
    const db = join(directory, 'etcd/member/snap/db');
    const buckets: string[] = [];
    for await (const { name, tree } of lmdb.tables()) {
      buckets.push(name.toString());
      const ours: [string, Buffer][] = [];
      for await (const rows of lmdb.rows(tree)) {
        for (const [key, value] of rows) ours.push([key.toString('latin1'), Buffer.from(value)]);
      }
      expect(ours, name.toString()).toEqual(await rowsOf(nodeFs, db, name.toString()));
    }
    expect(buckets).toEqual([...BUCKETS]);
    await lmdb.close();
  });
});
