import { expect, it } from 'vitest';
import {
  type AcknowledgedLoad,
  clientWriter,
  etcdctlWriter,
} from '../../support/acknowledged-load.js';
import {
  type ClusterMember,
  type ClusterProcesses,
  ELECTION_MILLIS,
} from '../../support/cluster-processes.js';
import { finishLoad, testCluster, testLoad, untilWritten } from '../../support/cluster-test.js';
import type { PeerNetwork } from '../../support/peer-network.js';
import { hasRealEtcd } from '../../support/real-etcd.js';
import { RecordedWatch } from '../../support/recorded-watch.js';

const ROUNDS = Number(process.env.ETCDKIT_CLUSTER_ROUNDS ?? 20);
const CUTS = Math.ceil((2 * ROUNDS) / 5);
/** An election that nobody wins costs up to two election timeouts more; it shows in the term. */
const ELECTION_BOUND = 3 * ELECTION_MILLIS;
const LOST_ELECTION_BOUND = 2 * ELECTION_MILLIS;
/** Acknowledgements that each round waits for after it has a leader. */
const WRITES_PER_ROUND = 50;

/** Our client writes through each member and through all, and the real etcdctl does. */
function startLoad(cluster: ClusterProcesses): AcknowledgedLoad {
  const load = testLoad(cluster);
  load.add(clientWriter(cluster.client()), 2);
  if (hasRealEtcd) load.add(etcdctlWriter(cluster.endpoints));
  return load;
}

/** Takes the leader away; how long until another one leads, ms. */
async function loseLeader(
  cluster: ClusterProcesses,
  leader: ClusterMember,
  lose: () => Promise<unknown>,
  boundMillis = ELECTION_BOUND,
): Promise<number> {
  const others = cluster.members.filter((member) => member !== leader);
  const [before] = await Promise.all(others.map((member) => member.status()));
  await lose();
  const start = performance.now();
  const next = await cluster.untilLed(others, leader);
  const millis = performance.now() - start;
  const { raftTerm } = await next.status();
  const lostElections = raftTerm - (before?.raftTerm ?? 0) - 1;
  expect(millis).toBeLessThan(boundMillis + lostElections * LOST_ELECTION_BOUND);
  return millis;
}

function summary(millis: readonly number[]): string {
  const sorted = [...millis].sort((a, b) => a - b).map(Math.round);
  return `new leader after ${sorted[0]} to ${sorted.at(-1)} ms, median ${sorted[sorted.length >> 1]}`;
}

it(
  `loses no acknowledged write, and no event, though ${ROUNDS} leaders are killed`,
  async () => {
    const cluster = await testCluster({ kinds: 'ooo' });
    const load = startLoad(cluster);
    const watch = new RecordedWatch(cluster.client(), 'load/');
    const millis: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await cluster.leader();
      await untilWritten(cluster, load, WRITES_PER_ROUND);
      millis.push(await loseLeader(cluster, leader, () => leader.end('SIGKILL')));
      await untilWritten(cluster, load, WRITES_PER_ROUND);
      leader.start();
      await leader.untilServing();
    }
    const end = await finishLoad(cluster, load);
    await watch.verify(load.acknowledged);
    console.info(`${ROUNDS} kills: ${summary(millis)}; ${end}`);
  },
  60_000 + ROUNDS * 10_000,
);

/** A way to lose a leader that lives on. */
interface Way {
  readonly cut: (network: PeerNetwork, leader: string, others: readonly string[]) => void;
  /** How long at most until there is another one, ms. */
  readonly boundMillis: number;
}

const WAYS: readonly [Way, ...Way[]] = [
  { cut: (network, leader) => network.isolate(leader, 'silent'), boundMillis: ELECTION_BOUND },
  { cut: (network, leader) => network.isolate(leader, 'broken'), boundMillis: ELECTION_BOUND },
  {
    cut: (network, leader, others) => {
      for (const other of others) network.cut(leader, other, 'silent');
    },
    boundMillis: ELECTION_BOUND,
  },
  {
    // It notices that nobody answers within two election timeouts; until then the others obey.
    cut: (network, leader, others) => {
      for (const other of others) network.cut(other, leader, 'silent');
    },
    boundMillis: ELECTION_BOUND + 2 * ELECTION_MILLIS,
  },
];

it(
  `loses no acknowledged write, and no event, though ${CUTS} leaders are cut off`,
  async () => {
    const cluster = await testCluster({ kinds: 'ooo', hasNetwork: true });
    const { network } = cluster;
    if (network === undefined) throw new Error('there is no network');
    const load = startLoad(cluster);
    const watch = new RecordedWatch(cluster.client(), 'load/');
    const millis: number[] = [];
    for (let round = 0; round < CUTS; round++) {
      const leader = await cluster.leader();
      const others = cluster.members.filter((member) => member !== leader);
      const { cut, boundMillis } = WAYS[round % WAYS.length] ?? WAYS[0];
      await untilWritten(cluster, load, WRITES_PER_ROUND);
      const lose = async () =>
        cut(
          network,
          leader.name,
          others.map(({ name }) => name),
        );
      millis.push(await loseLeader(cluster, leader, lose, boundMillis));
      await untilWritten(cluster, load, WRITES_PER_ROUND);
      network.heal();
      await leader.untilServing();
    }
    const end = await finishLoad(cluster, load);
    await watch.verify(load.acknowledged);
    console.info(`${CUTS} cuts: ${summary(millis)}; ${end}`);
  },
  60_000 + CUTS * 10_000,
);
