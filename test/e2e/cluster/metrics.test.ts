import { expect, it } from 'vitest';
import { writeMany } from '../../support/acknowledged-load.js';
import type { ClusterMember } from '../../support/cluster-processes.js';
import { testCluster } from '../../support/cluster-test.js';

const TEST_MILLIS = 120_000;
const BEHIND = 400;

async function metric({ endpoint }: ClusterMember, name: string): Promise<number> {
  const text = await (await fetch(`http://${endpoint}/metrics`)).text();
  const value = new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1];
  if (value === undefined) throw new Error(`there is no ${name}`);
  return Number(value);
}

it(
  'counts the snapshot that brought a member up to date',
  async () => {
    const flags = ['--unsafe-no-fsync', '--snapshot-count=50', '--snapshot-catchup-entries=10'];
    const cluster = await testCluster({ kinds: 'ooo', flags });
    const [first, second] = cluster.members as [ClusterMember, ClusterMember];
    await cluster.moveLeader(first);
    await second.end('SIGKILL');
    await writeMany(first.client, BEHIND);
    second.start();
    await second.untilServing();
    await cluster.requireEqualHashes();
    expect(second.log).toContain('"applied snapshot"');
    expect(await metric(second, 'etcd_snap_db_fsync_duration_seconds_count')).toBeGreaterThan(0);
    const saves = await metric(second, 'etcd_snap_db_save_total_duration_seconds_count');
    expect(saves).toBeGreaterThan(0);
    expect(await metric(second, 'etcd_server_snapshot_apply_in_progress_total')).toBe(0);
    expect(await metric(first, 'etcd_snap_db_save_total_duration_seconds_count')).toBe(0);
    expect(await metric(first, 'etcd_cluster_version{cluster_version="3.7"}')).toBe(1);
  },
  TEST_MILLIS,
);
