import { describe, expect, it } from 'vitest';
import type { Random } from '../../src/platform/random.js';
import {
  type AnyConfChange,
  ConfChangeTransition,
  ConfChangeType,
} from '../../src/raft/confchange/conf-change.js';
import { RaftError } from '../../src/raft/errors.js';
import { Role } from '../../src/raft/types.js';
import { Cluster, type Member, seededRandom } from './support/cluster.js';

const MEMBERS = 5;

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random.integer(items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function randomConfChange(random: Random): AnyConfChange {
  const types = [ConfChangeType.AddNode, ConfChangeType.AddLearnerNode, ConfChangeType.RemoveNode];
  const single = () => ({
    type: pick(random, types),
    nodeId: BigInt(1 + random.integer(MEMBERS)),
  });
  const context = Buffer.alloc(0);
  if (random.float() < 0.5) return { ...single(), id: 0n, context };
  return {
    transition: pick(random, Object.values(ConfChangeTransition)),
    changes: Array.from({ length: random.integer(4) }, single),
    context,
  };
}

/**
 * Proposes a change that the leader's configuration can take. One of two voters is never removed:
 * were it the leader, it could step down before the other one learns that it is alone, and then
 * neither could be elected.
 */
function proposeConfChange(member: Member, random: Random): void {
  if (member.role !== Role.Leader) return;
  const change = randomConfChange(random);
  // It is left to the application not to propose what cannot be applied.
  const changes = 'changes' in change ? change.changes : [change];
  const { voters } = member.node.status().config;
  if (changes.some(({ nodeId }) => voters.incoming.has(nodeId)) && voters.incoming.size < 3) return;
  if (new Set(changes.map(({ nodeId }) => nodeId)).size < changes.length) return;
  if (changes.filter(({ type }) => type !== ConfChangeType.AddNode).length > 1) return;
  try {
    member.node.proposeConfChange(change);
  } catch (error) {
    if (!(error instanceof RaftError)) throw error;
  }
}

interface Run {
  readonly cluster: Cluster;
  readonly leaders: Map<number, bigint>;
  readonly random: Random;
  readonly crashRate: number;
  accepted: number;
}

function step(run: Run): void {
  const { cluster, random } = run;
  const member = pick(random, cluster.members);
  if (random.float() < run.crashRate) member.crash(random.integer(member.disk.length + 1));
  const dice = random.float();
  if (dice < 0.35) {
    if (member.node.hasReady()) cluster.send(member.takeReady());
  } else if (dice < 0.55) {
    cluster.send(member.sync());
  } else if (dice < 0.8) {
    disturbNetwork(run);
  } else if (dice < 0.92) {
    member.node.tick();
  } else if (dice < 0.96) {
    if (member.propose(`${run.accepted}`)) run.accepted++;
  } else if (dice < 0.98) {
    proposeConfChange(member, random);
  } else if (dice < 0.985) {
    member.compact();
  } else if (dice < 0.99) {
    member.node.transferLeader(pick(random, cluster.members).id);
  } else {
    member.node.readIndex(Buffer.from('00000000'));
  }
  const { role, term } = member.node.status();
  if (role !== Role.Leader) return;
  const known = run.leaders.get(term);
  expect(known ?? member.id, `leaders of term ${term}`).toBe(member.id);
  run.leaders.set(term, member.id);
}

/** Delivers some message: out of order, twice, or not at all. */
function disturbNetwork({ cluster, random }: Run): void {
  if (cluster.network.length === 0) return;
  const at = random.float() < 0.7 ? 0 : random.integer(cluster.network.length);
  const message = cluster.network[at];
  if (message === undefined) return;
  const fate = random.float();
  if (fate > 0.05) cluster.network.splice(at, 1);
  if (fate > 0.9) cluster.drop(message);
  else cluster.deliver({ ...message });
}

function heal(run: Run): void {
  const { cluster } = run;
  for (let round = 0; round < 200; round++) {
    cluster.tickAll();
    cluster.settle();
  }
}

describe('a cluster under a random schedule', () => {
  const seeds = Array.from({ length: 100 }, (_, seed) => seed + 1);
  it.each(seeds)('agrees and recovers: seed %i', (seed) => {
    const random = seededRandom(seed);
    const cluster = new Cluster(MEMBERS, 3, {
      random,
      maxSizePerMessage: 40,
      maxInflightMessages: 3,
      stepDownOnRemoval: true,
    });
    const crashRate = seed % 2 === 0 ? 0.002 : 0.02;
    const run: Run = { cluster, random, leaders: new Map(), crashRate, accepted: 0 };
    for (let count = 0; count < 6000; count++) step(run);
    heal(run);
    const leader = cluster.leader();
    expect(leader.propose('last words'), cluster.describe()).toBe(true);
    cluster.settle();
    heal(run);
    const { voters, learners } = leader.node.status().config;
    expect(leader.applied).toContain('last words');
    for (const id of [...voters.ids, ...learners.ids]) {
      expect(cluster.member(id).applied, `member ${id}`).toEqual(leader.applied);
    }
  });
});
