import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nodeFs } from '../../src/platform/node-fs.js';
import { PutRequest } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { ConfChange } from '../../src/proto/gen/raftpb/raft.js';
import type { Entry } from '../../src/raft/types.js';
import { readWal, WAL_BEGINNING } from '../../src/storage/wal/reader.js';
import { startEtcd } from '../../src/testing.js';
import {
  contentsOf,
  type EtcdContents,
  expectLeaseWorks,
  FILLED_LEASE,
  fillEtcd,
  withClient,
} from '../support/etcd-contents.js';
import { freePort } from '../support/loopback.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import {
  isRealBefore,
  isRealSince,
  REAL_ENVIRONMENT,
  REAL_FILES_PROGRAM,
} from '../support/real-programs.js';
import { runBinary } from '../support/run-binary.js';
import { sharedPath } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';

const run = promisify(execFile);

const VERSIONS = ['v3.4.23', 'v3.5.30'] as const;
const SERVERS = ['etcdkit', 'etcd'] as const;
type Server = (typeof SERVERS)[number];

/** The fixtures have authentication enabled. */
const ROOT = { user: 'root', password: 'rootpw' };
const ALICE = { user: 'alice', password: 'alicepw' };
const ALL = Buffer.of(0);

/** 3.6 alone refuses the database of a cluster of 3.7, also that of a real etcd. */
const refusesOurs = isRealSince(6) && isRealBefore(7);

const hasFixtures = sharedPath('fixtures') !== undefined;

interface Outcome {
  readonly exitCode: number;
  readonly stderr: string;
}

async function realRestore(argv: readonly string[]): Promise<Outcome> {
  const options = { env: REAL_ENVIRONMENT };
  return run(REAL_FILES_PROGRAM, ['snapshot', 'restore', ...argv], options).then(
    ({ stderr }) => ({ exitCode: 0, stderr }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ exitCode: code, stderr }),
  );
}

/** Restores with our program. @throws if it fails */
async function restore(argv: readonly string[]): Promise<void> {
  const { exitCode, stderr, stdout } = await runBinary('etcdutl', ['snapshot', 'restore', ...argv]);
  if (exitCode !== 0) throw new Error(stderr);
  expect(stdout.toString()).toBe('');
}

async function fixture(version: string, directory: string): Promise<string> {
  const path = join(directory, `${version}.db`);
  const source = sharedPath('fixtures', `${version}.snapshot.db.gz`) ?? '';
  await pipeline(createReadStream(source), createGunzip(), createWriteStream(path));
  return path;
}

function recorded(name: string): string {
  return readFileSync(sharedPath('fixtures', name) ?? '').toString();
}

/** Serves a restored directory until the test ends; the result is the endpoint. */
async function serve(server: Server, dataDir: string): Promise<{ endpoint: string }> {
  if (server === 'etcdkit') {
    const etcd = await startEtcd({ storage: { directory: dataDir } });
    onTestFinished(() => etcd.stop());
    return etcd;
  }
  const etcd = await startRealEtcd({ dataDir });
  onTestFinished(() => etcd.stop());
  return etcd;
}

/** Of two servers of different clusters, what must be the same. */
function data({ members: _, clusterId: __, ...rest }: EtcdContents) {
  return rest;
}

describe.skipIf(!hasRealEtcd || !hasFixtures)('a snapshot of a real etcd, restored by us', () => {
  const cases = VERSIONS.flatMap((version) => SERVERS.map((server) => [version, server] as const));

  it.each(cases)('of %s is whole when %s serves it', async (version, server) => {
    const directory = await tempDir();
    const dataDir = join(directory, 'data');
    const path = await fixture(version, directory);
    await restore([path, '--data-dir', dataDir, '--format', server]);
    const { endpoint } = await serve(server, dataDir);
    await withClient(
      endpoint,
      async (client) => {
        const { kvs, header } = await client.kv.range({ key: ALL, rangeEnd: ALL });
        // Leases have more digits than a number keeps.
        const keys = JSON.parse(recorded(`${version}.all-keys.json`));
        const leases = [...recorded(`${version}.all-keys.json`).matchAll(/"lease":(\d+)/g)];
        expect(
          kvs.map(({ key, value, createRevision, modRevision, version: count }) => ({
            key: key.toString('base64'),
            create_revision: createRevision,
            mod_revision: modRevision,
            version: count,
            value: value.toString('base64'),
          })),
        ).toEqual(
          keys.kvs.map(({ lease: _, value = '', ...rest }: Record<string, unknown>) => {
            return { ...rest, value };
          }),
        );
        const given = kvs.map(({ lease }) => lease).filter((lease) => lease !== 0n);
        expect(given.map(String)).toEqual(leases.map(([, id]) => id));
        expect(header?.revision).toBe(keys.header.revision);
        for (const ID of new Set(given)) {
          const { grantedTTL, keys: attached } = await client.lease.timeToLive({ ID, keys: true });
          expect(grantedTTL).toBeGreaterThan(0);
          const holders = kvs.filter(({ lease }) => lease === ID).map(({ key }) => String(key));
          expect(attached.map(String).sort()).toEqual(holders.sort());
        }
        const hash = await client.maintenance.hashKv(0);
        const [{ HashKV: expected }] = JSON.parse(recorded(`${version}.hashkv.json`));
        expect(hash.hash).toBe(expected.hash);
        expect(hash.compactRevision).toBe(expected.compact_revision);
        expect((await client.auth.userList()).users).toEqual(['alice', 'root']);
        expect((await client.auth.roleList()).roles).toEqual(['reader', 'writer']);
        await expectLeaseWorks(client, 'leased/c');
      },
      ROOT,
    );
    await withClient(
      endpoint,
      async ({ kv }) => {
        const key = Buffer.from('/config/app/01');
        expect((await kv.range({ key })).kvs).toHaveLength(1);
        await expect(kv.put({ key, value: key })).rejects.toThrow('permission denied');
      },
      ALICE,
    );
  });

  it.each(SERVERS)('takes up where the revisions were bumped to, served by %s', async (server) => {
    const directory = await tempDir();
    const dataDir = join(directory, 'data');
    const path = await fixture('v3.5.30', directory);
    const bump = ['--bump-revision', '1000000', '--mark-compacted'];
    await restore([path, '--data-dir', dataDir, '--format', server, ...bump]);
    const { endpoint } = await serve(server, dataDir);
    await withClient(
      endpoint,
      async ({ kv }) => {
        const keys = JSON.parse(recorded('v3.5.30.all-keys.json'));
        const { kvs, header } = await kv.range({ key: ALL, rangeEnd: ALL });
        expect(kvs).toHaveLength(keys.count);
        expect(header?.revision).toBe(keys.header.revision + 1_000_000);
        const old = kv.range({ key: ALL, rangeEnd: ALL, revision: keys.header.revision });
        await expect(old).rejects.toThrow('required revision has been compacted');
        const put = await kv.put({ key: Buffer.from('new'), value: Buffer.from('1') });
        expect(put.header?.revision).toBe(keys.header.revision + 1_000_001);
      },
      ROOT,
    );
  });
});

/** Names of members with free ports. */
async function threeMembers() {
  const members = await Promise.all(
    ['m1', 'm2', 'm3'].map(async (name) => {
      const ports = { client: await freePort(), peer: await freePort() };
      return { name, ports, url: `http://127.0.0.1:${ports.peer}` };
    }),
  );
  const cluster = members.map(({ name, url }) => `${name}=${url}`).join();
  return members.map((member) => ({
    ...member,
    flags: [
      '--name',
      member.name,
      '--initial-cluster',
      cluster,
      '--initial-advertise-peer-urls',
      member.url,
      '--initial-cluster-token',
      'restored',
    ],
  }));
}

/** Changes of members as the releases before 3.7 write them; that one leaves an id of 0 out. */
function inOneForm(entries: readonly Entry[]): Entry[] {
  return entries.map((entry) => {
    const change = ConfChange.decode(entry.data);
    const data = ConfChange.encode({ ...change, id: change.id ?? 0n }).finish();
    return { ...entry, data: Buffer.from(data) };
  });
}

describe.skipIf(!hasRealEtcd || !hasFixtures)('the members of a restored cluster', () => {
  it.each(VERSIONS)(
    'have the log and the snapshot that etcdctl gives them (%s)',
    async (version) => {
      const directory = await tempDir();
      const path = await fixture(version, directory);
      for (const { name, flags } of await threeMembers()) {
        const ours = join(directory, `${name}-ours`);
        const own = join(directory, `${name}-own`);
        const theirs = join(directory, `${name}-theirs`);
        await restore([path, ...flags, '--data-dir', ours, '--format', 'etcd']);
        await restore([path, ...flags, '--data-dir', own]);
        const { exitCode } = await realRestore([path, ...flags, '--data-dir', theirs]);
        expect(exitCode).toBe(0);
        const expected = await readWal(nodeFs, join(theirs, 'member/wal'), WAL_BEGINNING);
        const snapName = '0000000000000001-0000000000000003.snap';
        const snap = await readFile(join(theirs, 'member/snap', snapName));
        expect(await readdir(join(theirs, 'member/snap'))).toEqual([snapName, 'db']);
        for (const made of [ours, own]) {
          const { metadata, entries, hardState } = await readWal(
            nodeFs,
            join(made, 'member/wal'),
            WAL_BEGINNING,
          );
          expect({ metadata, entries: inOneForm(entries), hardState }).toEqual({
            metadata: expected.metadata,
            entries: inOneForm(expected.entries),
            hardState: expected.hardState,
          });
          const snapshot = await readFile(join(made, 'member/snap', snapName));
          // Since 3.6 its members stand in an order that is another one each time.
          if (isRealBefore(6)) expect(snapshot.equals(snap)).toBe(true);
          expect(await readdir(join(made, 'member/wal'))).toEqual(
            await readdir(join(theirs, 'member/wal')),
          );
        }
      }
    },
  );

  it.skipIf(refusesOurs)('are served by three real etcds as one cluster', async () => {
    const directory = await tempDir();
    const source = await startEtcd({ storage: 'disk' });
    onTestFinished(() => source.stop());
    await fillEtcd(source.endpoint);
    const before = await contentsOf(source.endpoint);
    const path = join(directory, 's.db');
    const argv = [`--endpoints=${source.endpoint}`, 'snapshot', 'save', path];
    expect((await runBinary('etcdctl', argv)).exitCode).toBe(0);
    const members = await threeMembers();
    for (const { name, flags } of members) {
      await restore([path, ...flags, '--data-dir', join(directory, name), '--format', 'etcd']);
    }
    const running = await Promise.all(
      members.map(({ name, ports }): Promise<RealEtcd> => {
        return startRealEtcd({ dataDir: join(directory, name), ports, flags: [`--name=${name}`] });
      }),
    );
    for (const each of running) onTestFinished(() => each.stop());
    for (const { endpoint } of running) {
      const after = await contentsOf(endpoint);
      expect(data(after)).toEqual(data(before));
      expect(after.members).toHaveLength(3);
    }
    const [first, , last] = running;
    const written = { key: Buffer.from('after'), value: Buffer.from('1') };
    await withClient(first?.endpoint ?? '', ({ kv }) => kv.put(written));
    const contents = await Promise.all(running.map(({ endpoint }) => contentsOf(endpoint)));
    expect(contents[1]).toEqual(contents[0]);
    expect(contents[2]).toEqual(contents[0]);
    const read = await withClient(last?.endpoint ?? '', ({ kv }) => kv.range({ key: written.key }));
    expect(read.kvs).toHaveLength(1);
  });
});

/** What both refuse alike, but for the words that changed since 3.4. */
const REFUSED: readonly [string, readonly string[], ((text: string) => string)?][] = [
  ['no file', []],
  ['two files', ['{source}', '{source}']],
  ['a file that is not there', ['{missing}', '--data-dir', '{new}']],
  ['a file without a hash', ['{bare}', '--data-dir', '{new}']],
  ['a file with a wrong hash', ['{flipped}', '--data-dir', '{new}']],
  [
    'a data directory in use',
    ['{source}', '--data-dir', '{used}'],
    // cli 9: an empty one is allowed since 3.5.
    (text) => text.replace(/exists$/, 'not empty or could not be read'),
  ],
  ['a log directory in use', ['{source}', '--data-dir', '{new}', '--wal-dir', '{used}']],
  ['a name that is not in the cluster', ['{source}', '--data-dir', '{new}', '--name', 'zz']],
  [
    'a URL that is none',
    ['{source}', '--data-dir', '{new}', '--initial-cluster', 'default=localhost'],
  ],
  [
    'a URL given twice',
    [
      '{source}',
      '--data-dir',
      '{new}',
      '--initial-cluster',
      ',default=http://localhost:2380,default=http://localhost:2380',
    ],
  ],
  ['a member without a URL', ['{source}', '--data-dir', '{new}', '--initial-cluster', 'default']],
  [
    'advertised URLs that are none',
    ['{source}', '--data-dir', '{new}', '--initial-advertise-peer-urls', 'http://localhost'],
  ],
  [
    'a URL of two members',
    [
      '{source}',
      '--data-dir',
      '{new}',
      '--initial-cluster',
      'default=http://127.0.0.1:2380,default2=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls',
      'http://127.0.0.1:2380',
    ],
  ],
  [
    'more URLs than are advertised',
    [
      '{source}',
      '--data-dir',
      '{new}',
      '--initial-cluster',
      'default=http://127.0.0.1:2380,default=http://127.0.0.1:2381',
      '--initial-advertise-peer-urls',
      'http://127.0.0.1:2380',
    ],
  ],
  [
    'fewer URLs than are advertised',
    [
      '{source}',
      '--data-dir',
      '{new}',
      '--initial-cluster',
      'default=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls',
      'http://127.0.0.1:2380,http://127.0.0.1:2381',
    ],
  ],
];

/** The line that says what is wrong; log lines come before it. */
function errorLine(stderr: string): string | undefined {
  return stderr.split('\n').findLast((line) => line.startsWith('Error: '));
}

describe.skipIf(!hasRealEtcd || !hasFixtures)('a restore that etcdctl refuses', () => {
  it.each(REFUSED)('for %s is refused alike, and leaves nothing', async (_, argv, edit) => {
    const directory = await tempDir();
    const source = await fixture('v3.4.23', directory);
    const paths: Record<string, string> = {
      source,
      missing: join(directory, 'missing.db'),
      bare: join(directory, 'bare.db'),
      flipped: join(directory, 'flipped.db'),
      used: join(directory, 'used'),
      new: join(directory, 'new'),
    };
    const size = (await readFile(source)).length;
    await copyFile(source, paths.bare ?? '');
    await truncate(paths.bare ?? '', size - 32);
    const flipped = await readFile(source);
    flipped[size - 40] = (flipped[size - 40] ?? 0) ^ 1;
    await writeFile(paths.flipped ?? '', flipped);
    await mkdir(paths.used ?? '');
    await writeFile(join(paths.used ?? '', 'file'), '');
    const filled = argv.map((word) => word.replace(/\{(\w+)\}/, (_all, name) => paths[name] ?? ''));
    const before = await readdir(directory);
    const outcomes: Record<string, Outcome> = {};
    for (const face of ['etcdctl', 'etcdutl', 'etcdkit'] as const) {
      const { exitCode, stderr } = await runBinary(face, ['snapshot', 'restore', ...filled]);
      outcomes[face] = { exitCode: Number(exitCode), stderr };
      expect(await readdir(directory)).toEqual(before);
    }
    // Last, because it does leave something.
    const expected = await realRestore(filled);
    const told = errorLine(expected.stderr) ?? '';
    for (const [face, { exitCode, stderr }] of Object.entries(outcomes)) {
      expect(exitCode, face).toBe(expected.exitCode);
      expect(errorLine(stderr), face).toBe(edit?.(told) ?? told);
    }
    expect(outcomes.etcdctl?.stderr).toMatch(
      /^Deprecated: Use `etcdutl snapshot restore` instead\.\n\n/,
    );
    expect(outcomes.etcdutl?.stderr).not.toContain('Deprecated');
  });

  it('needs both flags that go with a bump of the revision', async () => {
    for (const flag of ['--bump-revision=1', '--mark-compacted']) {
      const argv = ['snapshot', 'restore', 'x.db', flag];
      expect(await runBinary('etcdutl', argv)).toMatchObject({
        exitCode: 128,
        stderr: 'Error: --mark-compacted required if --revision-bump > 0\n',
      });
    }
  });
});

const MANY_KEYS = 200_000;
const KEYS_PER_TXN = 2000;

/** Keys of some sizes in few revisions, and a compaction that leaves something to forget. */
async function fillWithMany(endpoint: string): Promise<void> {
  await fillEtcd(endpoint);
  await withClient(endpoint, async ({ kv, auth }) => {
    for (let at = 0; at < MANY_KEYS; at += KEYS_PER_TXN) {
      const success = Array.from({ length: KEYS_PER_TXN }, (_, index) => ({
        request: {
          $case: 'requestPut' as const,
          value: PutRequest.create({
            key: Buffer.from(`many/${String((at + index) * 7919).padStart(12, '0')}`),
            value: Buffer.alloc(20 + ((at + index) % 200), index),
            lease: index % 500 === 0 ? FILLED_LEASE : 0n,
          }),
        },
      }));
      await kv.txn({ compare: [], success, failure: [] });
    }
    const last = { key: Buffer.from('many/'), rangeEnd: Buffer.from('many/00000100') };
    const { header } = await kv.deleteRange(last);
    await kv.compact({ revision: (header?.revision ?? 0) - 20, physical: true });
    await auth.userAdd({ name: 'root', password: ROOT.password });
    await auth.userGrantRole('root', 'root');
    await auth.enable();
  });
}

describe.skipIf(!hasRealEtcd)('200,000 keys with leases, users and a compaction', () => {
  it.skipIf(refusesOurs)(
    'go from us to a real etcd, live there, and come back',
    { timeout: 180_000 },
    async () => {
      const directory = await tempDir();
      const flags = [`--max-txn-ops=${KEYS_PER_TXN}`];
      const source = await startEtcd({ storage: 'disk', flags });
      onTestFinished(() => source.stop());
      await fillWithMany(source.endpoint);
      const before = await contentsOf(source.endpoint, ROOT);
      expect(before.keys.length).toBeGreaterThan(MANY_KEYS * 0.9);
      const path = join(directory, 'ours.db');
      const user = `--user=root:${ROOT.password}`;
      const save = (endpoint: string, to: string) =>
        runBinary('etcdctl', [`--endpoints=${endpoint}`, user, 'snapshot', 'save', to]);
      expect((await save(source.endpoint, path)).exitCode).toBe(0);
      await source.stop();
      const question = ['snapshot', 'status', path, '-wjson'];
      const status = await run(REAL_FILES_PROGRAM, question, { env: REAL_ENVIRONMENT });
      expect(JSON.parse(status.stdout)).toMatchObject({ revision: before.revision });

      const dataDir = join(directory, 'real');
      expect((await realRestore([path, '--data-dir', dataDir])).exitCode).toBe(0);
      const real = await startRealEtcd({ dataDir });
      onTestFinished(() => real.stop());
      expect(data(await contentsOf(real.endpoint, ROOT))).toEqual(data(before));
      await withClient(
        real.endpoint,
        async ({ kv, maintenance }) => {
          const half = { key: Buffer.from('many/'), rangeEnd: Buffer.from('many/0008') };
          const { header } = await kv.deleteRange(half);
          await kv.put({ key: Buffer.from('after'), value: Buffer.alloc(300_000, 'a') });
          await kv.compact({ revision: header?.revision ?? 0, physical: true });
          await maintenance.defragment();
        },
        ROOT,
      );
      await real.kill();
      const again = await startRealEtcd({ dataDir, ports: real.ports });
      onTestFinished(() => again.stop());
      const lived = await contentsOf(again.endpoint, ROOT);
      expect(lived.revision).toBe(before.revision + 2);

      const back = join(directory, 'theirs.db');
      expect((await save(again.endpoint, back)).exitCode).toBe(0);
      const own = join(directory, 'own');
      await restore([back, '--data-dir', own]);
      const { endpoint } = await serve('etcdkit', own);
      expect(data(await contentsOf(endpoint, ROOT))).toEqual(data(lived));
    },
  );
});
