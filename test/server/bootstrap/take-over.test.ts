import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LogFields, Logger } from '../../../src/base/logger.js';
import { silentLogger } from '../../../src/base/logger.js';
import { exportDataDirectory } from '../../../src/offline/export/export-data-directory.js';
import { acquireDirectoryLock } from '../../../src/platform/directory-lock.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { nodeFs } from '../../../src/platform/node-fs.js';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import { decodeMember } from '../../../src/server/membership/member.js';
import type { Bucket } from '../../../src/storage/backend/backend.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { backendImageSource } from '../../../src/storage/bbolt/backend-image.js';
import { BboltError } from '../../../src/storage/bbolt/bbolt-error.js';
import { BboltFile } from '../../../src/storage/bbolt/bbolt-file.js';
import { databaseRows } from '../../../src/storage/bbolt/database-rows.js';
import { writeBboltFile } from '../../../src/storage/bbolt/write-file.js';
import { encodeRevisionKey } from '../../../src/storage/mvcc/revision-key.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';
import { contentsOf, expectLeaseWorks, withClient } from '../../support/etcd-contents.js';
import { spawnEtcd } from '../../support/etcd-process.js';
import { unpackRealEtcd } from '../../support/recorded-directory.js';
import { sharedPath } from '../../support/shared.js';
import { tempDir } from '../../support/temp-dir.js';

/** What a server said while it ran. */
class LogLines {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];

  readonly logger: Logger = this.#logger();

  of(message: string): LogFields[] {
    return this.lines.filter((line) => line.message === message).map(({ fields }) => fields);
  }

  #logger(): Logger {
    const at =
      (level: string) =>
      (message: string, fields: LogFields = {}): void => {
        this.lines.push({ level, message, fields });
      };
    const logger: Logger = {
      ...silentLogger,
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      named: () => logger,
      at: () => logger,
    };
    return logger;
  }
}

async function serve(directory: string, logger: Logger = silentLogger): Promise<TestEtcd> {
  const etcd = await startEtcd({ storage: { directory }, logger });
  onTestFinished(() => etcd.stop());
  return etcd;
}

function fixture(name: string): string {
  return sharedPath('fixtures', name) ?? '';
}

/** The data directory of an etcd that was killed while it was written to. */
async function killedDirectory(version: string): Promise<string> {
  return unpackRealEtcd(version.slice(1), await tempDir());
}

async function fileHash(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** Numbers in these files are small but for the ids, which are not looked at. */
function readJson(name: string) {
  return JSON.parse(readFileSync(fixture(name), 'utf8'));
}

interface RecordedKey {
  readonly key: string;
  readonly create_revision: number;
  readonly mod_revision: number;
  readonly version: number;
  readonly value?: string;
}

/** Makes the database of a directory anew, with changed rows. */
async function changeDatabase(
  directory: string,
  change: (backend: MemoryBackend) => void,
): Promise<void> {
  const path = join(directory, 'member/snap/db');
  const file = await BboltFile.open(nodeFs, path);
  const backend = new MemoryBackend();
  await backend.replaceWith(databaseRows(file));
  await file.close();
  change(backend);
  const snapshot = await backend.snapshot();
  await writeBboltFile(nodeFs, path, backendImageSource(snapshot));
}

/** Makes every `.snap` file of a directory one that can't be read. */
async function breakSnapFiles(directory: string): Promise<void> {
  const snap = join(directory, 'member/snap');
  for (const name of await readdir(snap)) {
    if (name.endsWith('.snap')) await writeFile(join(snap, name), 'broken');
  }
}

/** One of 3.5 whose log begins with a snapshot. */
async function directoryWithoutBeginning(): Promise<string> {
  const directory = await killedDirectory('v3.5.30');
  const etcd = await serve(directory);
  await etcd.stop();
  const outputDirectory = join(await tempDir(), 'exported');
  await exportDataDirectory({
    fs: nodeFs,
    clock: nodeClock,
    logger: silentLogger,
    dataDirectory: directory,
    walDirectory: join(directory, 'member/wal'),
    outputDirectory,
    target: '3.5',
    decodeMember,
    takeDirectory: acquireDirectoryLock,
  });
  return outputDirectory;
}

/** Two starts fail alike and leave no database of ours. */
async function expectRefusal(directory: string, message: RegExp): Promise<Error> {
  const start = () =>
    startEtcd({ storage: { directory } }).then(
      (etcd) => etcd.stop(),
      (error: Error) => error,
    );
  const original = await fileHash(join(directory, 'member/snap/db'));
  const first = await start();
  if (first === undefined) throw new Error('it was served');
  expect(first.message).toMatch(message);
  const names = await readdir(join(directory, 'member/snap'));
  expect(names.filter((name) => name.startsWith('db'))).toEqual(['db']);
  expect(await start()).toEqual(first);
  expect(await fileHash(join(directory, 'member/snap/db'))).toBe(original);
  return first;
}

/** The fixtures have authentication enabled. */
const ROOT = { user: 'root', password: 'rootpw' };

function contents({ endpoint }: TestEtcd) {
  return contentsOf(endpoint, ROOT);
}

/** She may read below /config/ and nothing else. */
async function asAlice({ endpoint }: TestEtcd): Promise<void> {
  const alice = { user: 'alice', password: 'alicepw' };
  await withClient(
    endpoint,
    async ({ kv }) => {
      const key = Buffer.from('/config/app/01');
      expect((await kv.range({ key })).kvs).toHaveLength(1);
      await expect(kv.put({ key, value: key })).rejects.toThrow('permission denied');
      await expect(kv.range({ key: Buffer.from('leased/c') })).rejects.toThrow('permission denied');
    },
    alice,
  );
  const wrong = withClient(endpoint, ({ kv }) => kv.range({ key: Buffer.from('/config/') }), {
    ...alice,
    password: 'wrong',
  });
  await expect(wrong).rejects.toThrow('authentication failed');
}

/** Waits until the file that is being imported to has grown, or has its name. */
async function nextChange(directory: string): Promise<void> {
  const path = join(directory, 'member/snap/db.lmdb.new');
  const before = (await nodeFs.stat(path))?.size;
  await vi.waitFor(async () => expect((await nodeFs.stat(path))?.size).not.toBe(before), {
    timeout: 5000,
    interval: 2,
  });
}

const VERSIONS = ['v3.4.23', 'v3.5.30'] as const;

describe.skipIf(sharedPath('fixtures') === undefined)('a data directory of a killed etcd', () => {
  it.each(VERSIONS)('of %s is served with all that was in it', async (version) => {
    const directory = await killedDirectory(version);
    const original = await fileHash(join(directory, 'member/snap/db'));
    const log = new LogLines();
    const etcd = await serve(directory, log.logger);
    const found = await contents(etcd);
    const [recorded] = readJson(`${version}.hashkv.json`);
    expect(found.hash).toBe(recorded.HashKV.hash);
    expect(found.compactRevision).toBe(recorded.HashKV.compact_revision);
    const { kvs, header } = readJson(`${version}.all-keys.json`) as {
      kvs: RecordedKey[];
      header: { revision: number };
    };
    const keys = await withClient(
      etcd.endpoint,
      async ({ kv }) => {
        const { kvs } = await kv.range({ key: Buffer.of(0), rangeEnd: Buffer.of(0) });
        return kvs.map(({ key, createRevision, modRevision, version, value }) => ({
          key: key.toString('base64'),
          create_revision: createRevision,
          mod_revision: modRevision,
          version,
          ...(value.length === 0 ? {} : { value: value.toString('base64') }),
        }));
      },
      ROOT,
    );
    expect(keys).toEqual(
      kvs.map(({ key, create_revision, mod_revision, version, value }) => ({
        key,
        create_revision,
        mod_revision,
        version,
        ...(value === undefined ? {} : { value }),
      })),
    );
    const members = readFileSync(fixture(`${version}.member-list.json`), 'utf8');
    const id = BigInt(/"ID":(\d+)/.exec(members)?.[1] ?? 0);
    const url = /"peerURLs":\["([^"]+)"/.exec(members)?.[1];
    expect(found.members).toEqual([`${id.toString(16)} ${url}`]);
    expect(found.clusterId).toBe(BigInt(/"cluster_id":(\d+)/.exec(members)?.[1] ?? 0));
    expect(found.users).toEqual(['alice reader', 'root root']);
    expect(found.roles).toEqual(['reader 0 /config/ /config0', 'writer 2 /registry/ /registry0']);
    expect(found.leases).toEqual([expect.stringMatching(/^\d+ 100000 leased\/c$/)]);
    expect(found.revision).toBe(header.revision);
    await asAlice(etcd);
    await withClient(etcd.endpoint, (client) => expectLeaseWorks(client, 'leased/c'), ROOT);
    expect(await fileHash(join(directory, 'member/snap/db'))).toBe(original);
    expect(log.of('importing the database of another etcd')[0]).toMatchObject({
      from: join(directory, 'member/snap/db'),
    });
    expect(log.of('imported the database of another etcd')).toHaveLength(1);
  });

  it.each(VERSIONS)('of %s is written on, and imported but once', async (version) => {
    const directory = await killedDirectory(version);
    const first = await serve(directory);
    const before = await contents(first);
    await withClient(
      first.endpoint,
      async ({ kv, lease }) => {
        await kv.put({ key: Buffer.from('ours'), value: Buffer.from('1') });
        await lease.grant({ ID: 4711n, TTL: 600 });
      },
      ROOT,
    );
    const between = await contents(first);
    expect(between.revision).toBe(before.revision + 1);
    await first.stop();
    await rm(join(directory, 'member/snap/db'));
    const log = new LogLines();
    const second = await serve(directory, log.logger);
    expect(await contents(second)).toEqual(between);
    expect(log.of('importing the database of another etcd')).toEqual([]);
  });

  it('goes on from the database of a snapshot that did not get to its place', async () => {
    const directory = await killedDirectory('v3.5.30');
    const snap = join(directory, 'member/snap');
    const plain = await serve(await killedDirectory('v3.5.30'));
    await rename(join(snap, 'db'), join(snap, '00000000000000c9.snap.db'));
    const etcd = await serve(directory);
    expect(await contents(etcd)).toEqual(await contents(plain));
  });

  it('tells members by the snap file and the log, not by a 3.4 database', async () => {
    const directory = await killedDirectory('v3.4.23');
    const plain = await contents(await serve(await killedDirectory('v3.4.23')));
    const stale = '{"id":10,"peerURLs":["http://127.0.0.1:1"],"name":"gone"}';
    await changeDatabase(directory, (backend) => {
      for (const [key] of backend.range('members', Buffer.alloc(0))) backend.delete('members', key);
      backend.put('members', Buffer.from('a'), Buffer.from(stale));
      backend.put('members_removed', Buffer.from('b'), Buffer.from('removed'));
    });
    const etcd = await serve(directory);
    expect(await contents(etcd)).toEqual(plain);
  });

  it('tells members by the whole log if every snap file is lost, not by a 3.4 database', async () => {
    const directory = await killedDirectory('v3.4.23');
    const plain = await contents(await serve(await killedDirectory('v3.4.23')));
    await changeDatabase(directory, (backend) => {
      for (const [key] of backend.range('members', Buffer.alloc(0))) backend.delete('members', key);
      const stale = '{"id":10,"peerURLs":["http://127.0.0.1:1"],"name":"gone"}';
      backend.put('members', Buffer.from('a'), Buffer.from(stale));
    });
    await breakSnapFiles(directory);
    const log = new LogLines();
    const etcd = await serve(directory, log.logger);
    expect(await contents(etcd)).toEqual(plain);
    expect(log.of('no snap file tells of the members; going by the whole log')).toHaveLength(1);
  });

  it('goes by the database if the beginning of the log is lost, too', async () => {
    const directory = await directoryWithoutBeginning();
    const plain = await contents(await serve(await killedDirectory('v3.5.30')));
    await breakSnapFiles(directory);
    const log = new LogLines();
    const etcd = await serve(directory, log.logger);
    expect(await contents(etcd)).toEqual(plain);
    expect(log.of('no snap file tells of the members; going by the database')).toHaveLength(1);
  });

  it.each(['{"voters":[10],"auto_leave":false}', undefined])(
    'is refused if then nobody says that its members are right (%s)',
    async (confState) => {
      const directory = await directoryWithoutBeginning();
      await breakSnapFiles(directory);
      await changeDatabase(directory, (backend) => {
        const key = Buffer.from('confState');
        if (confState === undefined) backend.delete('meta', key);
        else backend.put('meta', key, Buffer.from(confState));
      });
      await expectRefusal(directory, /^nothing tells of the members: no \.snap file in .*snap can/);
    },
  );

  it('is refused, untouched, if its log is cut off, and served once that is mended', async () => {
    const directory = await killedDirectory('v3.5.30');
    const plain = await contents(await serve(await killedDirectory('v3.5.30')));
    const segment = join(directory, 'member/wal/0000000000000000-0000000000000000.wal');
    const whole = await readFile(segment);
    const { tail } = await readWal(nodeFs, join(directory, 'member/wal'));
    await writeFile(segment, whole.subarray(0, tail.offset / 2));
    await expectRefusal(directory, /does not match|is ahead of the log/);
    await writeFile(segment, whole);
    expect(await contents(await serve(directory))).toEqual(plain);
  });

  it.each([
    // Nothing, the first record alone, and a part of the one that says whose log it is.
    [0, /nothing in .*wal tells whose log it is/],
    [16, /nothing in .*wal tells whose log it is/],
    [30, /unexpected EOF/],
  ])('is refused, untouched, if %i bytes of its log are left', async (length, message) => {
    const directory = await killedDirectory('v3.5.30');
    const segment = join(directory, 'member/wal/0000000000000000-0000000000000000.wal');
    const start = (await readFile(segment)).subarray(0, length);
    await writeFile(segment, start);
    await expectRefusal(directory, message);
    expect(await readFile(segment)).toEqual(start);
  });

  it.each<readonly [Bucket, string | Buffer, string | Buffer, RegExp]>([
    ['key', encodeRevisionKey(9000, 0), 'x', /bucket key, row 0{12}2328/],
    ['key', 'no revision', '', /cannot parse revision key/],
    ['key', Buffer.from(`7fffffffffffffff5f${'00'.repeat(8)}`, 'hex'), '', /too large/],
    ['lease', 'a lease', Buffer.of(8), /bucket lease, row/],
    ['alarm', Buffer.of(8), '', /bucket alarm, row/],
    ['auth', 'authRevision', '1', /a number of 1 bytes/],
    ['authRoles', 'reader', Buffer.of(10, 9), /bucket authRoles, row/],
    ['authUsers', 'alice', Buffer.of(10, 9), /bucket authUsers, row/],
    ['cluster', 'downgrade', '{', /bucket cluster, row/],
    ['meta', 'finishedCompactRev', 'x', /bucket meta, row/],
    ['meta', 'term', 'x', /a number of 1 bytes/],
  ])('is refused, untouched, at a damaged row of %s (%s)', async (bucket, key, value, message) => {
    const directory = await killedDirectory('v3.5.30');
    await changeDatabase(directory, (backend) => {
      backend.put(bucket, Buffer.from(key), Buffer.from(value));
    });
    const error = await expectRefusal(directory, message);
    expect(error).toBeInstanceOf(BboltError);
    expect(error).toMatchObject({ file: join(directory, 'member/snap/db') });
  });

  it('begins anew after an import that was interrupted', async () => {
    const directory = await killedDirectory('v3.5.30');
    const snap = join(directory, 'member/snap');
    await writeFile(join(snap, 'db.lmdb.new'), 'half a file');
    await writeFile(join(snap, 'db.lmdb.new-lock'), '');
    const etcd = await serve(directory);
    expect((await contents(etcd)).revision).toBe(346);
    expect(await readdir(snap)).not.toContain('db.lmdb.new');
  });

  it.each([
    ['storageVersion', '3.8.0', 'version "3.8.0" is not supported'],
    ['storageVersion', '4.0.0', 'changing major storage version is not supported'],
    ['clusterVersion', '3.8.0', 'invalid downgrade; server version is lower'],
  ])('is refused, untouched, if its %s is %s', async (row, version, message) => {
    const directory = await killedDirectory('v3.5.30');
    await changeDatabase(directory, (backend) => {
      const bucket = row === 'clusterVersion' ? 'cluster' : 'meta';
      backend.put(bucket, Buffer.from(row), Buffer.from(version));
    });
    await expect(startEtcd({ storage: { directory } })).rejects.toThrow(message);
    const names = await readdir(join(directory, 'member/snap'));
    expect(names.filter((name) => name.startsWith('db'))).toEqual(['db']);
  });

  it('is refused if its database is older than its log', async () => {
    const directory = await killedDirectory('v3.5.30');
    await changeDatabase(directory, (backend) => {
      const index = Buffer.alloc(8);
      index.writeUInt8(100, 7);
      backend.put('meta', Buffer.from('consistent_index'), index);
    });
    await expect(startEtcd({ storage: { directory } })).rejects.toThrow(
      /database file \(.*db index 100\) does not match with snapshot \(index 201\)/,
    );
  });

  it('is refused if its log is missing', async () => {
    const directory = await killedDirectory('v3.4.23');
    await rm(join(directory, 'member/wal'), { recursive: true });
    await expect(startEtcd({ storage: { directory } })).rejects.toThrow(
      /holds the database of another etcd .* name it with --wal-dir/,
    );
  });

  it('is begun anew if nothing was ever written to it', async () => {
    const directory = await killedDirectory('v3.4.23');
    await rm(join(directory, 'member/wal'), { recursive: true });
    await changeDatabase(directory, (backend) => {
      for (const bucket of ['key', 'meta', 'members'] as const) {
        for (const [key] of [...backend.range(bucket, Buffer.alloc(0))])
          backend.delete(bucket, key);
      }
    });
    const etcd = await serve(directory);
    expect((await contentsOf(etcd.endpoint)).revision).toBe(1);
  });

  it('is whole after any number of kills while it is imported', async () => {
    const directory = await killedDirectory('v3.5.30');
    // As large as it takes for the kills to meet the import.
    await changeDatabase(directory, (backend) => {
      for (let n = 0; n < 60_000; n++) {
        const revision = 1000 + n;
        const key = Buffer.from(`bulk-${String(n).padStart(6, '0')}`);
        const keyValue = KeyValue.create({
          key,
          value: Buffer.alloc(400, n),
          createRevision: revision,
          modRevision: revision,
          version: 1,
        });
        backend.put('key', encodeRevisionKey(revision, 0), KeyValue.encode(keyValue).finish());
      }
    });
    const copy = join(await tempDir(), 'data');
    await cp(directory, copy, { recursive: true });
    const plain = await serve(copy);
    const expected = await contents(plain);
    await plain.stop();
    let interrupted = 0;
    for (let kill = 0; kill < 4; kill++) {
      const child = spawnEtcd(directory);
      await vi.waitFor(
        async () => {
          const names = await readdir(join(directory, 'member/snap'));
          expect(names).toContain('db.lmdb.new');
        },
        { timeout: 10_000, interval: 5 },
      );
      for (let turn = 0; turn < kill; turn++) await nextChange(directory);
      await child.kill('SIGKILL');
      const names = await readdir(join(directory, 'member/snap'));
      if (names.includes('db.lmdb')) break;
      interrupted++;
    }
    expect(interrupted).toBeGreaterThan(0);
    expect(await contents(await serve(directory))).toEqual(expected);
  });
});
