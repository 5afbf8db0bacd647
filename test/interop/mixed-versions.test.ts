import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AlarmType } from '../../src/proto/gen/etcdserverpb/rpc.js';
import { type ClusterMember, ClusterProcesses } from '../support/cluster-processes.js';
import { finishLoad, testLoad, untilWritten } from '../support/cluster-test.js';
import { isRealBefore, REAL_ENVIRONMENT, REAL_ETCDCTL } from '../support/real-programs.js';
import { tempDir } from '../support/temp-dir.js';
import { until } from '../support/until.js';

const TEST_MILLIS = 120_000;
/** How much later than the others a member starts; less than they wait for it. */
const LATE_MILLIS = 2500;
const CHECKS = 5;

interface Mixed {
  readonly cluster: ClusterProcesses;
  readonly ours: readonly ClusterMember[];
  readonly real: ClusterMember;
}

/** Two of ours and a real 3.4; mixed-current.test.ts has later ones. */
async function mixed(
  ourFlags: readonly string[] = [],
  realFlags: readonly string[] = [],
  lateMillis = 0,
): Promise<Mixed> {
  const plan = { kinds: 'oor', flags: ['--unsafe-no-fsync'] };
  const cluster = await ClusterProcesses.plan(await tempDir(), plan);
  onTestFinished(() => cluster.stop());
  const initial = [`--initial-cluster=${cluster.initialCluster}`, '--initial-cluster-state=new'];
  const ours = cluster.members.filter(({ kind }) => kind === 'ours');
  const real = cluster.members.find(({ kind }) => kind === 'real');
  if (real === undefined) throw new Error('there is no real member');
  for (const member of ours) member.start([...initial, ...ourFlags]);
  await sleep(lateMillis);
  real.start([...initial, ...realFlags]);
  await Promise.all(cluster.members.map((member) => member.untilServing()));
  return { cluster, ours, real };
}

async function clusterVersionOf({ endpoint }: ClusterMember): Promise<string> {
  const answer = await fetch(`http://${endpoint}/version`);
  return ((await answer.json()) as { etcdcluster: string }).etcdcluster;
}

async function requireVersion({ cluster }: Mixed, version: string): Promise<void> {
  for (const member of cluster.members) {
    await member.until(
      `is at ${version}`,
      async () => (await clusterVersionOf(member)) === version,
    );
  }
}

function checksOf({ log }: ClusterMember): string[] {
  return log.match(/"finished peer corruption check".*"number-of-peers-checked":2/g) ?? [];
}

describe.skipIf(!isRealBefore(5))('two of ours and a real 3.4', () => {
  it.each([
    ['at once', 0],
    ['late', LATE_MILLIS],
  ])(
    'form a cluster of 3.4 when it starts %s',
    async (_when, lateMillis) => {
      const started = await mixed([], [], lateMillis);
      await requireVersion(started, '3.4.0');
      const { members } = await started.cluster.client().cluster.memberList(true);
      expect(members.map(({ name }) => name).sort()).toEqual(['m0', 'm1', 'm2']);
      expect(started.real.log).not.toContain('panic');
    },
    TEST_MILLIS,
  );

  it(
    'write for the 3.4 while it is away, too',
    async () => {
      const started = await mixed();
      const { cluster, ours, real } = started;
      await requireVersion(started, '3.4.0');
      await real.end('SIGKILL');
      for (const member of ours) {
        await member.end('SIGKILL');
        member.start();
      }
      await Promise.all(ours.map((member) => member.untilServing()));
      real.start();
      await real.untilServing();
      await cluster.requireEqualHashes();
      expect(real.log).not.toContain('panic');
    },
    TEST_MILLIS,
  );

  it(
    'go up when the 3.4 has left, and keep that after a restart',
    async () => {
      const started = await mixed(['--strict-reconfig-check=false']);
      const { cluster, ours, real } = started;
      await requireVersion(started, '3.4.0');
      for (const member of ours) expect((await member.status()).storageVersion).toBe('');
      await cluster.shrink(cluster.client(ours), real);
      await requireVersion(started, '3.7.0');
      for (const member of ours) expect((await member.status()).storageVersion).toBe('3.7.0');
      for (const member of ours) {
        await member.end('SIGKILL');
        member.start();
        await member.untilServing();
      }
      await requireVersion(started, '3.7.0');
    },
    TEST_MILLIS,
  );

  it(
    'keep from the log what 3.4 can not apply',
    async () => {
      const started = await mixed();
      const { cluster, ours, real } = started;
      await requireVersion(started, '3.4.0');
      const [one] = ours as [ClusterMember];
      const status = await one.client.auth.status();
      expect(status).toMatchObject({ enabled: false, authRevision: 1 });
      const downgrade = one.client.maintenance.downgrade({ action: 1, version: '3.3' });
      await expect(downgrade).rejects.toThrow('etcdserver: not capable');
      // A user that one of ours took has its password at the real one, and no other.
      const ctl = (member: ClusterMember, ...argv: string[]): string =>
        execFileSync(REAL_ETCDCTL, [`--endpoints=${member.endpoint}`, ...argv], {
          env: REAL_ENVIRONMENT,
          stdio: ['ignore', 'pipe', 'pipe'],
        }).toString();
      ctl(one, 'user', 'add', 'root:secret');
      ctl(one, 'user', 'grant-role', 'root', 'root');
      ctl(one, 'auth', 'enable');
      for (const member of cluster.members) {
        await member.until('asks for a user', () => {
          ctl(member, '--user=root:secret', 'put', 'k', member.name);
          return true;
        });
        expect(() => ctl(member, '--user=root:wrong', 'get', 'k')).toThrow('invalid user ID');
      }
      expect(ctl(real, '--user=root:secret', 'get', 'k', '--print-value-only')).toBe('m2\n');
      expect(real.isRunning).toBe(true);
    },
    TEST_MILLIS,
  );

  it.each([
    ['ours', ['--corrupt-check-time=500ms'], []],
    ['the real one', [], ['--experimental-corrupt-check-time=500ms']],
  ])(
    'find no corruption under load when %s leads and looks for it',
    async (who, ourFlags, realFlags) => {
      const started = await mixed(ourFlags, realFlags);
      const { cluster, ours, real } = started;
      await requireVersion(started, '3.4.0');
      const leader = who === 'ours' ? (ours[0] as ClusterMember) : real;
      await cluster.moveLeader(leader);
      const load = testLoad(cluster);
      for (let round = 0; round < CHECKS; round++) {
        await untilWritten(cluster, load, 50);
        const { header } = await leader.status();
        await leader.client.kv.compact({ revision: header?.revision ?? 0 });
        const before = checksOf(leader).length;
        if (who === 'ours') {
          await until('the leader has checked', () => checksOf(leader).length > before);
        } else {
          await sleep(700);
        }
      }
      console.info(`${who}: ${await finishLoad(cluster, load)}`);
      for (const { client, log } of cluster.members) {
        const { alarms } = await client.maintenance.alarmList();
        expect(alarms.filter(({ alarm }) => alarm === AlarmType.CORRUPT)).toEqual([]);
        expect(log).not.toMatch(/hashes must match|found hash mismatch|must be less than/);
      }
    },
    TEST_MILLIS,
  );
});
