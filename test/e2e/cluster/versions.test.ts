import { expect, it } from 'vitest';
import { DowngradeRequest_DowngradeAction as DowngradeAction } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import type { ClusterMember } from '../../support/cluster-processes.js';
import { testCluster } from '../../support/cluster-test.js';
import { until } from '../../support/until.js';

const TEST_MILLIS = 120_000;

interface Versions {
  readonly etcdcluster: string;
  readonly storage: string;
}

async function versionsOf({ endpoint }: ClusterMember): Promise<Versions> {
  return (await (await fetch(`http://${endpoint}/version`)).json()) as Versions;
}

async function untilAt(members: readonly ClusterMember[], version: string): Promise<void> {
  for (const member of members) {
    await member.until(`is at ${version}`, async () => {
      const { etcdcluster, storage } = await versionsOf(member);
      return etcdcluster === version && storage === version;
    });
  }
}

async function goesDown({ peerUrl }: ClusterMember): Promise<string> {
  return (await fetch(`${peerUrl}/downgrade/enabled`)).text();
}

it(
  'a cluster goes down a version, whoever leads and restarts meanwhile, and up again',
  async () => {
    const cluster = await testCluster({ kinds: 'ooo' });
    const { members } = cluster;
    const [first, second] = members as [ClusterMember, ClusterMember];
    await untilAt(members, '3.7.0');
    for (const member of members) expect(await goesDown(member)).toBe('false');
    // Any member takes the request.
    await cluster.moveLeader(first);
    const { maintenance } = second.client;
    await maintenance.downgrade({ action: DowngradeAction.ENABLE, version: '3.6' });
    for (const member of members) {
      await until('all know of it', async () => (await goesDown(member)) === 'true');
    }
    await untilAt(members, '3.6.0');
    for (const { log } of members) {
      expect(log).toContain('The server is ready to downgrade');
      expect(log).toMatch(/"triggering snapshot".*"snapshot-forced":true/);
    }
    await first.end('SIGKILL');
    first.start();
    await first.untilServing();
    const { downgradeInfo } = await first.status();
    expect(downgradeInfo).toEqual({ enabled: true, targetVersion: '3.6.0' });
    await untilAt(members, '3.6.0');
    await maintenance.downgrade({ action: DowngradeAction.CANCEL, version: '' });
    await untilAt(members, '3.7.0');
    await cluster.requireEqualHashes();
  },
  TEST_MILLIS,
);
