import { describe, expect, it } from 'vitest';
import {
  DowngradeRequest_DowngradeAction as Action,
  AlarmType,
  type DowngradeInfo,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import type { ClusterMember, ClusterProcesses } from '../support/cluster-processes.js';
import { finishLoad, testCluster, testLoad, untilWritten } from '../support/cluster-test.js';
import { isRealSince, realMinor } from '../support/real-programs.js';

const TEST_MILLIS = 120_000;
const CHECKS = 4;
const CURRENT = `3.${realMinor}`;
const BEFORE = `3.${realMinor - 1}`;
/** The releases do not agree on it: 3.6 tells the target with its patch, 3.7 as it was asked for. */
const isBefore = (version: string | undefined): boolean =>
  version === BEFORE || version === `${BEFORE}.0`;

async function clusterVersionOf({ endpoint }: ClusterMember): Promise<string> {
  const answer = await fetch(`http://${endpoint}/version`);
  return ((await answer.json()) as { etcdcluster: string }).etcdcluster;
}

/** Waits until all members are at a version of the cluster and of their databases. */
async function requireVersions(
  { members }: ClusterProcesses,
  version: string,
  storageVersion: string,
): Promise<void> {
  for (const member of members) {
    await member.until(
      `is at ${version} and stores as ${storageVersion}`,
      async () =>
        (await clusterVersionOf(member)) === version &&
        (await member.status()).storageVersion === storageVersion,
    );
  }
}

async function requireDowngrade(
  { members }: ClusterProcesses,
  holds: (info: DowngradeInfo | undefined) => boolean,
): Promise<void> {
  for (const member of members) {
    await member.until('knows of the downgrade', async () =>
      holds((await member.status()).downgradeInfo),
    );
  }
}

/** One of ours and one real member. */
function oneOfEach({ members }: ClusterProcesses): { ours: ClusterMember; real: ClusterMember } {
  const ours = members.find(({ kind }) => kind === 'ours');
  const real = members.find(({ kind }) => kind === 'real');
  if (ours === undefined || real === undefined) throw new Error('a member is missing');
  return { ours, real };
}

describe.skipIf(!isRealSince(6))('members of ours and real ones since 3.6', () => {
  it.each(['rro', 'oor'])(
    'agree on a version, and on a downgrade that either begins and the other one ends (%s)',
    async (kinds) => {
      const cluster = await testCluster({ kinds, flags: ['--unsafe-no-fsync'] });
      await requireVersions(cluster, `${CURRENT}.0`, `${CURRENT}.0`);
      const { ours, real } = oneOfEach(cluster);
      for (const [begins, ends] of [
        [ours, real],
        [real, ours],
      ] as const) {
        for (const leader of [ours, real]) {
          await cluster.moveLeader(leader);
          const request = { action: Action.VALIDATE, version: BEFORE };
          const { version } = await begins.client.maintenance.downgrade(request);
          expect(version).toBe(CURRENT);
          await begins.client.maintenance.downgrade({ ...request, action: Action.ENABLE });
          await requireDowngrade(
            cluster,
            (info) => info?.enabled === true && isBefore(info.targetVersion),
          );
          await expect(
            ends.client.maintenance.downgrade({ ...request, action: Action.ENABLE }),
          ).rejects.toThrow('cluster has a downgrade job in progress');
          await begins.client.kv.put({ key: Buffer.from('key'), value: Buffer.from(ends.name) });
          await ends.client.maintenance.downgrade({ action: Action.CANCEL, version: '' });
          await requireDowngrade(cluster, (info) => info?.enabled !== true);
          await requireVersions(cluster, `${CURRENT}.0`, `${CURRENT}.0`);
        }
      }
      await cluster.requireEqualHashes();
      for (const member of cluster.members) {
        await member.end('SIGKILL');
        member.start();
        await member.untilServing();
      }
      await requireVersions(cluster, `${CURRENT}.0`, `${CURRENT}.0`);
    },
    TEST_MILLIS,
  );

  it.each(['rro', 'oor'])(
    'find no corruption under load, whoever leads and looks for it (%s)',
    async (kinds) => {
      const flags = [
        '--unsafe-no-fsync',
        '--corrupt-check-time=400ms',
        '--compact-hash-check-time=300ms',
        '--feature-gates=InitialCorruptCheck=true,CompactHashCheck=true',
      ];
      const cluster = await testCluster({ kinds, flags });
      const { ours, real } = oneOfEach(cluster);
      const load = testLoad(cluster);
      for (const leader of [ours, real]) {
        await cluster.moveLeader(leader);
        for (let round = 0; round < CHECKS; round++) {
          await untilWritten(cluster, load, 50);
          const { header } = await leader.status();
          await leader.client.kv.compact({ revision: (header?.revision ?? 0) - 20 });
          const before = leader.log.length;
          await leader.until('has compared hashes of compactions', () =>
            /"finished compaction hash check".*"number-of-hashes-checked":[1-9]/.test(
              leader.log.slice(before),
            ),
          );
        }
        const other = leader === ours ? real : ours;
        await other.end('SIGKILL');
        other.start();
        await other.untilServing();
        await other.until('has compared its hash with its peers', () =>
          /"initial corruption checking passed/.test(other.log),
        );
      }
      console.info(`${kinds}: ${await finishLoad(cluster, load)}`);
      for (const { client, log } of cluster.members) {
        const { alarms } = await client.maintenance.alarmList();
        expect(alarms.filter(({ alarm }) => alarm === AlarmType.CORRUPT)).toEqual([]);
        expect(log).not.toContain('missing from unstable log');
        expect(log).not.toMatch(/hashes must match|found hash mismatch|must be less than/);
      }
    },
    TEST_MILLIS,
  );
});
