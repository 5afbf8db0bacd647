import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/platform/seeded-random.js';
import { clientWriter, etcdctlWriter, writeMany } from '../support/acknowledged-load.js';
import { clientDestination, clientInspection } from '../support/client-server.js';
import type { ClusterMember, ClusterProcesses } from '../support/cluster-processes.js';
import { finishLoad, testCluster, testLoad, untilWritten } from '../support/cluster-test.js';
import { CrashHistory } from '../support/crash-history.js';
import { hasRealEtcd } from '../support/real-etcd.js';
import type { Destination } from '../support/workload.js';

const TEST_MILLIS = 120_000;
/** Acknowledgements between two events. */
const WRITES = 50;
const OPERATIONS = Number(process.env.ETCDKIT_CLUSTER_OPERATIONS ?? 20_000);
const SEED = Number(process.env.ETCDKIT_CLUSTER_SEED ?? 1);
const ROUNDS = 6;
const CLIENTS = 24;
/** A real 3.4 keeps 5000 entries for those who are behind, besides those of its snapshot interval. */
const SNAPSHOT_COUNT = 500;
const BEHIND = 7000;
const FLAGS = ['--unsafe-no-fsync', `--snapshot-count=${SNAPSHOT_COUNT}`];

/** Each member leads, and is killed or cut off while it does; writes go on through the others. */
async function leadAndDie(cluster: ClusterProcesses): Promise<string> {
  const load = testLoad(cluster);
  load.add(clientWriter(cluster.client()));
  load.add(etcdctlWriter(cluster.endpoints));
  for (const member of cluster.members) {
    await cluster.moveLeader(member);
    await untilWritten(cluster, load, WRITES);
    await member.end('SIGKILL');
    const others = cluster.members.filter((other) => other !== member);
    await cluster.untilLed(others, member);
    await untilWritten(cluster, load, WRITES);
    member.start();
    await member.untilServing();
    await untilWritten(cluster, load, WRITES);
    if (cluster.network === undefined) continue;
    await cluster.moveLeader(member);
    cluster.network.isolate(member.name, member.kind === 'ours' ? 'broken' : 'silent');
    await cluster.untilLed(others, member);
    await untilWritten(cluster, load, WRITES);
    cluster.network.heal();
    await member.untilServing();
  }
  return finishLoad(cluster, load);
}

/** One member falls far behind while another leads, and gets its snapshot. */
async function fallBehind(
  cluster: ClusterProcesses,
  behind: ClusterMember,
  leader: ClusterMember,
): Promise<void> {
  await cluster.moveLeader(leader);
  await behind.end('SIGKILL');
  const before = behind.log.length;
  await writeMany(leader.client, BEHIND);
  behind.start();
  await behind.untilServing();
  expect(behind.log.slice(before)).toMatch(/"applied snapshot"|"applied incoming Raft snapshot"/);
  await cluster.requireEqualHashes();
}

/** Sends each operation to another member, and refuses all after so many. */
function roundRobin(members: readonly ClusterMember[], count: number): Destination {
  const destinations = members.map(({ client }) => clientDestination(client));
  let sent = 0;
  const next = (): Destination => {
    const destination = destinations[sent % destinations.length];
    if (destination === undefined || sent++ >= count) throw new Error('enough is sent');
    return destination;
  };
  return {
    put: async (request) => next().put(request),
    delete: async (request) => next().delete(request),
    txn: async (request) => next().txn(request),
    compact: async (revision) => next().compact(revision),
    grant: async (lease, ttlSeconds) => next().grant(lease, ttlSeconds),
    revoke: async (lease) => next().revoke(lease),
  };
}

describe.skipIf(!hasRealEtcd)('two real members and one of ours', () => {
  it(
    'elect, replicate and survive each other, formed together',
    async () => {
      const cluster = await testCluster({ kinds: 'rro', flags: FLAGS, hasNetwork: true });
      console.info(`formed together: ${await leadAndDie(cluster)}`);
    },
    TEST_MILLIS,
  );

  it(
    'do so if ours joined as a learner, and a real one took the place of another',
    async () => {
      const flags = [...FLAGS, '--strict-reconfig-check=false'];
      const cluster = await testCluster({ kinds: 'rr', flags });
      const [first] = cluster.members;
      await cluster.grow(cluster.client(), 'ours');
      console.info(`ours joined: ${await leadAndDie(cluster)}`);
      if (first === undefined) throw new Error('there is no member');
      await cluster.shrink(cluster.client(cluster.members.slice(1)), first);
      const ours = cluster.members.find(({ kind }) => kind === 'ours');
      if (ours === undefined) throw new Error('ours is missing');
      await cluster.moveLeader(ours);
      await cluster.grow(ours.client, 'real', 'successor');
      await cluster.requireEqualHashes();
    },
    TEST_MILLIS,
  );

  it(
    "catch each other up by snapshots, ours by a real leader's and the real ones by ours",
    async () => {
      const cluster = await testCluster({ kinds: 'rro', flags: FLAGS });
      const [real, other, ours] = cluster.members;
      if (real === undefined || other === undefined || ours === undefined) {
        throw new Error('three members are expected');
      }
      await fallBehind(cluster, ours, real);
      await fallBehind(cluster, real, ours);
      await cluster.moveLeader(other);
      const { revision, hash } = await cluster.requireEqualHashes();
      console.info(`snapshots both ways: revision ${revision}, hash ${hash}`);
    },
    TEST_MILLIS,
  );

  it(
    'keep leases alive for each other, and let them end',
    async () => {
      const cluster = await testCluster({ kinds: 'rro', flags: FLAGS });
      let next = 0n;
      for (const leader of cluster.members) {
        await cluster.moveLeader(leader);
        for (const { client, name } of cluster.members) {
          const ID = ++next;
          await client.lease.grant({ ID, TTL: 60 });
          await client.kv.put({ key: Buffer.from(`${ID}`), value: Buffer.from(name), lease: ID });
          for (const other of cluster.members) {
            const { TTL } = await other.client.lease.keepAliveOnce(ID);
            expect(TTL).toBe(60);
            const { keys, grantedTTL } = await other.client.lease.timeToLive({ ID, keys: true });
            expect({ keys: keys.map(String), grantedTTL }).toEqual({
              keys: [`${ID}`],
              grantedTTL: 60,
            });
          }
        }
      }
      const ours = cluster.members.find(({ kind }) => kind === 'ours');
      if (ours === undefined) throw new Error('ours is missing');
      for (const leader of [ours, cluster.members.find((member) => member !== ours) ?? ours]) {
        await cluster.moveLeader(leader);
        const ID = ++next;
        await ours.client.lease.grant({ ID, TTL: 1 });
        const key = Buffer.from(`${ID}`);
        await ours.client.kv.put({ key, value: Buffer.from('short'), lease: ID });
        await cluster.until('the lease has ended', async () => {
          const { kvs } = await ours.client.kv.range({ key });
          return kvs.length === 0;
        });
      }
      await cluster.requireEqualHashes();
    },
    TEST_MILLIS,
  );

  it(
    `hold the same after ${OPERATIONS} operations of all kinds`,
    async () => {
      const cluster = await testCluster({ kinds: 'rro', flags: FLAGS });
      const random = seededRandom(SEED);
      const history = new CrashHistory(CLIENTS);
      const perRound = Math.ceil(OPERATIONS / ROUNDS);
      await history.begin(roundRobin(cluster.members, 1));
      for (let round = 0; history.acknowledgedCount < OPERATIONS; round++) {
        const leader = cluster.members[round % 3];
        const inspected = cluster.members[(round + 1) % 3];
        if (leader === undefined || inspected === undefined) throw new Error('a member is missing');
        await history.verify(clientInspection(inspected.client));
        await cluster.moveLeader(leader);
        await history.write(roundRobin(cluster.members, perRound), random, () => {});
      }
      for (const { client, name, kind } of cluster.members) {
        await history.verify(clientInspection(client)).catch((error: unknown) => {
          throw new Error(`${name} (${kind}), seed ${SEED}`, { cause: error });
        });
      }
      expect(history.compactRevision).toBeGreaterThan(0);
      const { revision, hash } = await cluster.requireEqualHashes();
      console.info(
        `${history.acknowledgedCount} operations: revision ${revision}, compacted ${history.compactRevision}, hash ${hash}`,
      );
    },
    TEST_MILLIS,
  );
});
