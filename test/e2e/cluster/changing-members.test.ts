import { expect, it } from 'vitest';
import { clientWriter, writeMany } from '../../support/acknowledged-load.js';
import { finishLoad, testCluster, testLoad, untilWritten } from '../../support/cluster-test.js';

const TEST_MILLIS = 120_000;
/** Acknowledgements between two changes. */
const WRITES = 50;
/** How far a follower falls behind, entries. */
const BEHIND = Number(process.env.ETCDKIT_CLUSTER_ENTRIES ?? 50_000);

it(
  'grows from one to five members by learners, and shrinks to three, under load',
  async () => {
    // The check would let us wait until all members are connected for five seconds, each time.
    const flags = ['--strict-reconfig-check=false'];
    const cluster = await testCluster({ kinds: 'o', flags });
    const load = testLoad(cluster);
    for (let size = 2; size <= 5; size++) {
      const member = await cluster.grow(cluster.client(), 'ours');
      load.add(clientWriter(member.client));
      await untilWritten(cluster, load, WRITES);
    }
    const { members } = await cluster.client().cluster.memberList();
    expect(members.map(({ isLearner }) => isLearner)).toEqual([false, false, false, false, false]);
    for (const isLeader of [true, false]) {
      const leader = await cluster.leader();
      const leaving = isLeader ? leader : cluster.members.find((member) => member !== leader);
      if (leaving === undefined) throw new Error('there is no follower');
      const staying = cluster.members.filter((member) => member !== leaving);
      await cluster.shrink(cluster.client(staying), leaving);
      await untilWritten(cluster, load, WRITES);
    }
    const end = await finishLoad(cluster, load);
    expect(cluster.running).toHaveLength(3);
    console.info(`grown to 5, shrunk to 3: ${end}`);
  },
  TEST_MILLIS,
);

it(
  'gets a new member in the place of a dead one, under load',
  async () => {
    const cluster = await testCluster({ kinds: 'ooo' });
    const load = testLoad(cluster);
    const dead = await cluster.leader();
    await untilWritten(cluster, load, WRITES);
    await dead.end('SIGKILL');
    const client = cluster.client(cluster.members.filter((member) => member !== dead));
    await cluster.shrink(client, dead);
    const member = await cluster.grow(client, 'ours', 'successor');
    load.add(clientWriter(member.client));
    await untilWritten(cluster, load, WRITES);
    console.info(`a dead member replaced: ${await finishLoad(cluster, load)}`);
  },
  TEST_MILLIS,
);

it(
  `catches a follower up that is ${BEHIND} entries behind, by a snapshot, under load`,
  async () => {
    const flags = ['--snapshot-count=5000', '--snapshot-catchup-entries=1000'];
    const cluster = await testCluster({ kinds: 'ooo', flags });
    const leader = await cluster.leader();
    const behind = cluster.members.find((member) => member !== leader);
    if (behind === undefined) throw new Error('there is no follower');
    await behind.end('SIGKILL');
    const start = performance.now();
    await writeMany(leader.client, BEHIND);
    const writtenMillis = performance.now() - start;
    const load = testLoad(cluster);
    await untilWritten(cluster, load, WRITES);
    behind.start();
    await behind.untilServing();
    const caughtUpMillis = performance.now() - start - writtenMillis;
    await untilWritten(cluster, load, WRITES);
    const end = await finishLoad(cluster, load);
    expect(behind.log).toMatch(/"applied snapshot"/);
    console.info(
      `${BEHIND} entries written in ${Math.round(writtenMillis)} ms, caught up in ${Math.round(caughtUpMillis)} ms: ${end}`,
    );
  },
  TEST_MILLIS,
);
