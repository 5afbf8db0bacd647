import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fileHashKv } from '../../src/offline/file-hash-kv.js';
import { nodeFs } from '../../src/platform/node-fs.js';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { contentsOf, type EtcdContents, fillEtcd, withClient } from '../support/etcd-contents.js';
import { startEtcdProcess } from '../support/etcd-process.js';
import { freePort } from '../support/loopback.js';
import {
  hasRealEtcd,
  type RealEtcd,
  type RealEtcdOptions,
  startRealEtcd,
} from '../support/real-etcd.js';
import { realVersion } from '../support/real-programs.js';
import { runBinary } from '../support/run-binary.js';
import { tempDir } from '../support/temp-dir.js';

async function real(dataDir: string, options: Partial<RealEtcdOptions> = {}): Promise<RealEtcd> {
  const etcd = await startRealEtcd({ dataDir, ...options });
  onTestFinished(() => etcd.kill());
  return etcd;
}

async function ours(directory: string): Promise<TestEtcd> {
  const etcd = await startEtcd({ storage: { directory } });
  onTestFinished(() => etcd.stop());
  return etcd;
}

/** Changes something of everything, and lets the file shrink. */
async function changeEverything(endpoint: string, salt: string): Promise<void> {
  await withClient(endpoint, async ({ kv, lease, auth, maintenance }) => {
    const { ID } = await lease.grant({ TTL: 5000 });
    for (let at = 0; at < 20; at++) {
      await kv.put({ key: Buffer.from(`${salt}-${at}`), value: Buffer.from(salt), lease: ID });
    }
    await kv.deleteRange({ key: Buffer.from(`${salt}-3`) });
    const { header } = await kv.put({ key: Buffer.from('late'), value: Buffer.from(salt) });
    await kv.compact({ revision: (header?.revision ?? 0) - 10, physical: true });
    await auth.userAdd({ name: `user-${salt}`, password: salt });
    await maintenance.defragment();
    await kv.put({ key: Buffer.from('last'), value: Buffer.from(salt) });
  });
}

async function exportData(from: string, to: string, ...flags: string[]): Promise<void> {
  const { exitCode, stderr } = await runBinary('etcdkit', ['export', from, to, ...flags]);
  expect({ exitCode, stderr: stderr.toString() }).toMatchObject({ exitCode: 0 });
}

/** The same contents, and the same user may log in. */
async function expectSame(endpoint: string, before: EtcdContents): Promise<void> {
  expect(await contentsOf(endpoint)).toEqual(before);
}

describe.skipIf(!hasRealEtcd)('data directories between a real etcd and us', () => {
  it.each([
    ['stopped', 100_000],
    ['killed', 100_000],
    ['killed', 50],
  ] as const)('of one that was %s, with a snapshot every %i entries', async (how, count) => {
    const root = await tempDir();
    const dataDir = join(root, 'theirs');
    const flags = [`--snapshot-count=${count}`];
    const first = await real(dataDir, { flags });
    await fillEtcd(first.endpoint);
    const before = await contentsOf(first.endpoint);
    await (how === 'stopped' ? first.terminate() : first.kill());

    const taken = await ours(dataDir);
    await expectSame(taken.endpoint, before);
    await changeEverything(taken.endpoint, 'taken');
    const changed = await contentsOf(taken.endpoint);
    await taken.stop();
    const again = await ours(dataDir);
    await expectSame(again.endpoint, changed);
    await again.stop();

    const exported = join(root, 'exported');
    await exportData(dataDir, exported);
    expect((await fileHashKv(nodeFs, exported, 0)).hash).toBe(changed.hash);
    const second = await real(exported, { flags });
    await expectSame(second.endpoint, changed);
    await changeEverything(second.endpoint, 'exported');
    const later = await contentsOf(second.endpoint);
    await second.terminate();
    const third = await real(exported, { flags });
    await expectSame(third.endpoint, later);
    await third.kill();

    const takenAgain = await ours(exported);
    await expectSame(takenAgain.endpoint, later);
    await changeEverything(takenAgain.endpoint, 'again');
    const last = await contentsOf(takenAgain.endpoint);
    await takenAgain.stop();
    const exportedAgain = join(root, 'exported-again');
    await exportData(exported, exportedAgain, '--target-version=3.4');
    const fourth = await real(exportedAgain, { flags });
    await expectSame(fourth.endpoint, last);
    expect(fourth.ctl(['endpoint', 'status']).toString()).toContain(realVersion);
  });

  it('with authentication enabled on the way', async () => {
    const root = await tempDir();
    const dataDir = join(root, 'theirs');
    const first = await real(dataDir);
    await fillEtcd(first.endpoint);
    const root0 = { user: 'root', password: 'rootpw' };
    await withClient(first.endpoint, async ({ auth }) => {
      await auth.userAdd({ name: root0.user, password: root0.password });
      await auth.roleAdd('root');
      await auth.userGrantRole('root', 'root');
      await auth.enable();
    });
    const before = await contentsOf(first.endpoint, root0);
    await first.kill();
    const taken = await ours(dataDir);
    expect(await contentsOf(taken.endpoint, root0)).toEqual(before);
    await taken.stop();
    await exportData(dataDir, join(root, 'exported'));
    const second = await real(join(root, 'exported'));
    expect(await contentsOf(second.endpoint, root0)).toEqual(before);
    await expect(contentsOf(second.endpoint)).rejects.toThrow('user name is empty');
  });

  it('of an etcd that runs are left alone', async () => {
    const dataDir = join(await tempDir(), 'theirs');
    const etcd = await real(dataDir);
    etcd.ctl(['put', 'k', 'v']);
    const names = await readdir(join(dataDir, 'member/snap'));
    if (existsSync('/proc/locks')) {
      await expect(startEtcd({ storage: { directory: dataDir } })).rejects.toThrow('in use');
    }
    expect(await readdir(join(dataDir, 'member/snap'))).toEqual(names);
    expect(etcd.ctl(['get', 'k', '--print-value-only']).toString()).toBe('v\n');
  });

  it('with the log in a directory of its own', async () => {
    const root = await tempDir();
    const dataDir = join(root, 'theirs');
    const walDir = join(root, 'wal');
    const first = await real(dataDir, { flags: [`--wal-dir=${walDir}`] });
    await fillEtcd(first.endpoint, 200);
    const before = await contentsOf(first.endpoint);
    await first.kill();
    await expect(startEtcd({ storage: { directory: dataDir } })).rejects.toThrow('--wal-dir');
    const flags = [`--wal-dir=${walDir}`];
    const taken = await startEtcd({ storage: { directory: dataDir }, flags });
    onTestFinished(() => taken.stop());
    await expectSame(taken.endpoint, before);
    await taken.stop();
    await exportData(dataDir, join(root, 'exported'), `--wal-dir=${walDir}`);
    const second = await real(join(root, 'exported'));
    await expectSame(second.endpoint, before);
  });

  it('of a member of a cluster keep its membership', async () => {
    const root = await tempDir();
    const dataDir = join(root, 'theirs');
    const first = await real(dataDir);
    await fillEtcd(first.endpoint, 200);
    // A learner has no vote, so that one that never starts is in nobody's way.
    const url = `http://127.0.0.1:${await freePort()}`;
    first.ctl(['member', 'add', 'absent', '--learner', `--peer-urls=${url}`]);
    const before = await contentsOf(first.endpoint);
    expect(before.members).toHaveLength(2);
    await first.kill();
    const taken = await ours(dataDir);
    await expectSame(taken.endpoint, before);
    await taken.stop();
    await exportData(dataDir, join(root, 'exported'));
    const second = await real(join(root, 'exported'));
    await expectSame(second.endpoint, before);
  });

  it('of ours that was killed while it was written to lose nothing on the way', async () => {
    const root = await tempDir();
    const dataDir = join(root, 'ours');
    const child = await startEtcdProcess(dataDir);
    onTestFinished(() => void child.kill('SIGKILL'));
    await fillEtcd(child.endpoint);
    await withClient(child.endpoint, async ({ kv }) => {
      for (let at = 0; at < 100; at++) {
        await kv.put({ key: Buffer.from(`acknowledged-${at}`), value: Buffer.from('1') });
      }
    });
    // The database is at most 100 ms behind the log; the last puts are in the log alone.
    await child.kill('SIGKILL');
    await exportData(dataDir, join(root, 'exported'));
    const second = await real(join(root, 'exported'));
    const { keys, hash, revision } = await contentsOf(second.endpoint);
    expect(keys.filter((key) => key.startsWith('acknowledged-'))).toHaveLength(100);
    await second.kill();
    const ourselves = await ours(dataDir);
    expect(await contentsOf(ourselves.endpoint)).toMatchObject({ keys, hash, revision });
  });
});
