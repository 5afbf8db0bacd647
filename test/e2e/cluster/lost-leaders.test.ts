import { expect, it, onTestFinished } from 'vitest';
import { AcknowledgedLoad, clientWriter, etcdctlWriter } from '../../support/acknowledged-load.js';
import {
  type ClusterMember,
  ClusterProcesses,
  ELECTION_MILLIS,
} from '../../support/cluster-processes.js';
import type { PeerNetwork } from '../../support/peer-network.js';
import { hasRealEtcd } from '../../support/real-etcd.js';
import { tempDir } from '../../support/temp-dir.js';

const ROUNDS = Number(process.env.ETCDKIT_CLUSTER_ROUNDS ?? 20);
const CUTS = Math.ceil((2 * ROUNDS) / 5);
/** An election that nobody wins costs up to two election timeouts more; it shows in the term. */
const ELECTION_BOUND = 3 * ELECTION_MILLIS;
const LOST_ELECTION_BOUND = 2 * ELECTION_MILLIS;
/** Acknowledgements that each round waits for after it has a leader. */
const WRITES_PER_ROUND = 50;

async function startCluster(hasNetwork: boolean): Promise<ClusterProcesses> {
  const directory = await tempDir();
  const cluster = await ClusterProcesses.start(directory, { kinds: 'ooo', hasNetwork });
  onTestFinished(() => cluster.stop());
  return cluster;
}

/** Our client writes, and the real etcdctl does. */
function startLoad(cluster: ClusterProcesses): AcknowledgedLoad {
  const load = new AcknowledgedLoad('load/');
  onTestFinished(() => load.stop());
  for (const member of cluster.members) load.add(clientWriter(member.client), 2);
  load.add(clientWriter(cluster.client()), 2);
  if (hasRealEtcd) load.add(etcdctlWriter(cluster.endpoints), 2);
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

async function untilWritten(cluster: ClusterProcesses, load: AcknowledgedLoad): Promise<void> {
  const goal = load.acknowledgedCount + WRITES_PER_ROUND;
  await cluster.until('writes go on', async () => load.acknowledgedCount >= goal);
}

async function finish(cluster: ClusterProcesses, load: AcknowledgedLoad): Promise<string> {
  await load.stop();
  const { revision, hash } = await cluster.requireEqualHashes();
  for (const { client } of cluster.members) await load.verify(client);
  return `${load.acknowledgedCount} writes acknowledged, ${load.unansweredCount} not; revision ${revision}, hash ${hash}`;
}

function summary(millis: readonly number[]): string {
  const sorted = [...millis].sort((a, b) => a - b).map(Math.round);
  return `new leader after ${sorted[0]} to ${sorted.at(-1)} ms, median ${sorted[sorted.length >> 1]}`;
}

it(
  `loses no acknowledged write though ${ROUNDS} leaders are killed`,
  async () => {
    const cluster = await startCluster(false);
    const load = startLoad(cluster);
    const millis: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await cluster.leader();
      await untilWritten(cluster, load);
      millis.push(await loseLeader(cluster, leader, () => leader.end('SIGKILL')));
      await untilWritten(cluster, load);
      leader.start();
      await leader.untilServing();
    }
    const end = await finish(cluster, load);
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
  `loses no acknowledged write though ${CUTS} leaders are cut off`,
  async () => {
    const cluster = await startCluster(true);
    const { network } = cluster;
    if (network === undefined) throw new Error('there is no network');
    const load = startLoad(cluster);
    const millis: number[] = [];
    for (let round = 0; round < CUTS; round++) {
      const leader = await cluster.leader();
      const others = cluster.members.filter((member) => member !== leader);
      const { cut, boundMillis } = WAYS[round % WAYS.length] ?? WAYS[0];
      await untilWritten(cluster, load);
      const lose = async () =>
        cut(
          network,
          leader.name,
          others.map(({ name }) => name),
        );
      millis.push(await loseLeader(cluster, leader, lose, boundMillis));
      await untilWritten(cluster, load);
      network.heal();
      await leader.untilServing();
    }
    const end = await finish(cluster, load);
    console.info(`${CUTS} cuts: ${summary(millis)}; ${end}`);
  },
  60_000 + CUTS * 10_000,
);
