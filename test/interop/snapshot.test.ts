import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { snapshotStatus, summaryBefore36 } from '../../src/offline/snapshot-status.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { Permission_Type as PermissionType } from '../../src/proto/gen/authpb/auth.js';
import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { freePort } from '../support/loopback.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import {
  isRealSince,
  REAL_ENVIRONMENT,
  REAL_ETCDCTL,
  REAL_FILES_PROGRAM,
  realMinor,
} from '../support/real-programs.js';
import { runBinary } from '../support/run-binary.js';
import { makeTempDir, type TempDir, tempDir } from '../support/temp-dir.js';

const run = promisify(execFile);

const CTL_TIMEOUT_MILLIS = 15_000;
const KEYS = 3000;
const LEASE = 77n;
const ALL = Buffer.of(0);

/** Not synchronous: a server of ours lives in this process and must be able to answer. */
async function realCtl(...argv: string[]): Promise<string> {
  const isOffline = argv[0] === 'snapshot' && argv[1] !== 'save';
  const program = isOffline ? REAL_FILES_PROGRAM : REAL_ETCDCTL;
  const options = { env: REAL_ENVIRONMENT, timeout: CTL_TIMEOUT_MILLIS };
  const { stdout } = await run(program, argv, options);
  return stdout;
}

/** Leaves behind keys of all sizes, leases, deletions, a compaction and users. */
async function fill(client: Client): Promise<void> {
  const { kv, lease, auth } = client;
  await lease.grant({ ID: LEASE, TTL: 3600 });
  for (let at = 0; at < KEYS; at += 100) {
    const puts = Array.from({ length: 100 }, (_, index) => {
      const key = Buffer.from(`key-${String((at + index) % (KEYS - 500)).padStart(5, '0')}`);
      const value = Buffer.alloc((at + index) % 700, index);
      return kv.put({ key, value, lease: index % 10 === 0 ? LEASE : 0n });
    });
    await Promise.all(puts);
  }
  await kv.put({ key: Buffer.from('large'), value: Buffer.alloc(1_400_000, 'x') });
  await kv.deleteRange({ key: Buffer.from('key-001'), rangeEnd: Buffer.from('key-002') });
  const { header } = await kv.put({ key: Buffer.from('late'), value: Buffer.from('1') });
  await kv.compact({ revision: (header?.revision ?? 0) - 200, physical: true });
  await kv.deleteRange({ key: Buffer.from('key-00300') });
  await kv.put({ key: Buffer.from('key-00300'), value: Buffer.from('again') });
  await auth.userAdd({ name: 'reader', password: 'secret' });
  await auth.roleAdd('readers');
  const key = Buffer.from('key-');
  const rangeEnd = Buffer.from('key.');
  const perm = { permType: PermissionType.READ, key, rangeEnd };
  await auth.roleGrantPermission('readers', perm);
  await auth.userGrantRole('reader', 'readers');
}

async function allKeys(client: Client): Promise<KeyValue[]> {
  return (await client.kv.range({ key: ALL, rangeEnd: ALL })).kvs;
}

/** Equal for equal keys, values, revisions, versions and leases. */
function digest(keys: readonly KeyValue[]): string[] {
  return keys.map((keyValue) => {
    const hash = createHash('sha256').update(KeyValue.encode(keyValue).finish()).digest('hex');
    return `${keyValue.key} ${hash}`;
  });
}

/** Restores a snapshot with the real etcdctl and serves it with the real etcd. */
async function restoreAndServe(snapshot: string, directory: string): Promise<RealEtcd> {
  const ports = { client: await freePort(), peer: await freePort() };
  const peer = `http://127.0.0.1:${ports.peer}`;
  const dataDir = join(directory, 'restored');
  const cluster = [`--initial-cluster=real=${peer}`, `--initial-advertise-peer-urls=${peer}`];
  await realCtl(
    'snapshot',
    'restore',
    snapshot,
    '--name=real',
    `--data-dir=${dataDir}`,
    ...cluster,
  );
  return startRealEtcd({ dataDir, ports });
}

describe.skipIf(!hasRealEtcd)('a snapshot of our server', () => {
  let server: TestEtcd;
  let client: Client;
  let directory: TempDir;

  beforeAll(async () => {
    directory = await makeTempDir();
    server = await startEtcd({ storage: 'disk' });
    client = new Client({ endpoints: [server.endpoint] });
    await fill(client);
  });

  afterAll(async () => {
    client.close();
    await server.stop();
    await directory.remove();
  });

  it('is saved by the real etcdctl, which finds in it what we find', async () => {
    const path = join(directory.path, 'theirs.db');
    const said = await realCtl(`--endpoints=${server.endpoint}`, 'snapshot', 'save', path);
    expect(said).toContain(`Snapshot saved at ${path}`);
    // It runs bbolt's own check first.
    const theirs = JSON.parse(await realCtl('snapshot', 'status', '-w', 'json', path));
    const ours = await snapshotStatus(nodeFs, path);
    const keys = await allKeys(client);
    // Before 3.6 it counted the pairs of all buckets, and knew of no version.
    const { totalPairs, ...current } = ours;
    expect(isRealSince(6) ? current : summaryBefore36(ours)).toEqual(theirs);
    expect(current.totalKey).toBe(keys.length);
    expect(current.version).toBe('3.7.0');
    expect(totalPairs).toBeGreaterThan(keys.length);
  });

  // 3.6 alone refuses the database of a cluster of 3.7, also that of a real etcd.
  it.skipIf(realMinor === 6)(
    'is restored and served by a real etcd: every key, the lease, the user, the hash',
    async () => {
      const path = join(directory.path, 'ours.db');
      const argv = [`--endpoints=${server.endpoint}`, 'snapshot', 'save', path];
      const saved = await runBinary('etcdctl', argv);
      expect(saved.exitCode).toBe(0);
      expect(saved.stdout.toString()).toBe(`Snapshot saved at ${path}\nServer version 3.7.0\n`);
      const real = await restoreAndServe(path, directory.path);
      const restored = new Client({ endpoints: [real.endpoint] });
      try {
        expect(digest(await allKeys(restored))).toEqual(digest(await allKeys(client)));
        const hash = await client.maintenance.hashKv(0);
        const theirs = await restored.maintenance.hashKv(0);
        expect(theirs.hash).toBe(hash.hash);
        expect(theirs.compactRevision).toBe(hash.compactRevision);
        const { keys } = await restored.lease.timeToLive({ ID: LEASE, keys: true });
        const expected = await client.lease.timeToLive({ ID: LEASE, keys: true });
        expect(keys.map(String).sort()).toEqual(expected.keys.map(String).sort());
        expect(real.ctl(['user', 'get', 'reader']).toString()).toContain('Roles: readers');
        // It goes on living with the file.
        await restored.kv.deleteRange({
          key: Buffer.from('key-'),
          rangeEnd: Buffer.from('key-01'),
        });
        await restored.kv.put({ key: Buffer.from('after'), value: Buffer.alloc(100_000) });
        await restored.maintenance.defragment();
        const left = digest(await allKeys(restored));
        await real.kill();
        const again = await startRealEtcd({ dataDir: real.dataDir, ports: real.ports });
        expect(digest(await allKeys(restored))).toEqual(left);
        await again.kill();
      } finally {
        restored.close();
        await real.stop();
      }
    },
  );

  it('is one moment, however much is written while it is saved', async () => {
    const before = (await client.kv.put({ key: Buffer.from('n'), value: Buffer.from('0') })).header;
    let writes = 0;
    let isSaved = false;
    const writing = (async () => {
      while (!isSaved) {
        writes++;
        const n = { key: Buffer.from('n'), value: Buffer.from(String(writes)) };
        const m = { key: Buffer.from('m'), value: Buffer.from(String(writes)) };
        await Promise.all([client.kv.put(n), client.kv.put(m)]);
      }
    })();
    const path = join(directory.path, 'busy.db');
    const argv = [`--endpoints=${server.endpoint}`, 'snapshot', 'save', path];
    expect((await runBinary('etcdkit', argv)).exitCode).toBe(0);
    isSaved = true;
    await writing;
    const { revision } = await snapshotStatus(nodeFs, path);
    expect(revision).toBeGreaterThanOrEqual(before?.revision ?? 0);
    expect(writes).toBeGreaterThan(5);
    await realCtl('snapshot', 'status', path);
  });
});

describe.skipIf(!hasRealEtcd)('a snapshot of a real etcd', () => {
  it('is saved by us as by etcdctl, also to standard output', async () => {
    const real = await startRealEtcd();
    try {
      const client = new Client({ endpoints: [real.endpoint] });
      await fill(client);
      const count = (await allKeys(client)).length;
      client.close();
      const path = join(await tempDir(), 'real.db');
      const argv = [`--endpoints=${real.endpoint}`, 'snapshot', 'save'];
      const saved = await runBinary('etcdctl', [...argv, path]);
      // Since 3.6 the server tells its version, and the database has one.
      const version = isRealSince(6) ? `3.${realMinor}.0` : '';
      const told = version === '' ? '' : `Server version ${version}\n`;
      expect(saved.stdout.toString()).toBe(`Snapshot saved at ${path}\n${told}`);
      const theirs = JSON.parse(await realCtl('snapshot', 'status', '-w', 'json', path));
      const status = await runBinary('etcdutl', ['snapshot', 'status', '-wjson', path]);
      expect(JSON.parse(status.stdout.toString())).toEqual({
        ...theirs,
        totalKey: count,
        version,
      });
      const piped = await runBinary('etcdctl', [...argv, '-']);
      expect(piped.exitCode).toBe(0);
      // The consistent index and the transaction may have moved on.
      expect(piped.stdout.length).toBe(theirs.totalSize + 32);
    } finally {
      await real.stop();
    }
  });
});
