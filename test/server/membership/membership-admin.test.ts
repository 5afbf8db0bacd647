import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import { etcdError } from '../../../src/proto/errors.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import type { RaftStatus } from '../../../src/raft/status.js';
import { memberId } from '../../../src/server/membership/identity.js';
import type { Member } from '../../../src/server/membership/member.js';
import {
  type AdministeredMember,
  MembershipAdmin,
  type ProposedChange,
} from '../../../src/server/membership/membership-admin.js';
import type { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { clusterOf, member, unstarted } from './support.js';

const LEARNER = member(9n, { isLearner: true });
const EVERYBODY = [member(1n), member(2n), member(3n), LEARNER];
const NEVER = new AbortController().signal;

interface Situation {
  members?: Member[];
  leader?: bigint;
  /** Those that are connected since the beginning; default: all. */
  connected?: bigint[];
  isStrict?: boolean;
  /** Match of each member in the leader's log. */
  match?: Record<string, number>;
  promoteAtLeader?: AdministeredMember['calls']['promote'];
}

describe('MembershipAdmin', () => {
  let backend: MemoryBackend | undefined;
  afterEach(() => backend?.crash());

  /** Member 1, with a log that does what it is asked to. */
  function setUp({
    members = EVERYBODY,
    leader = 1n,
    connected = members.map(({ id }) => id),
    isStrict = true,
    match = { 1: 100, 2: 100, 3: 100, 9: 100 },
    promoteAtLeader = () => Promise.reject(new Error('nobody is asked')),
  }: Situation = {}) {
    const clock = new ManualClock(1_700_000_000_999);
    clock.advance(60_000);
    const made = clusterOf(members);
    backend = made.backend;
    const changes: ProposedChange[] = [];
    const progress = new Map(
      Object.entries(match).map(([id, index]) => [BigInt(id), { match: index }]),
    );
    const local = {
      clock,
      cluster: made.cluster,
      transport: { activeSince: (id: bigint) => (connected.includes(id) ? 0 : undefined) },
      calls: { promote: promoteAtLeader },
      leaderId: leader,
      isLeader: leader === 1n,
      whenApplied: (_timeoutMillis: number): Promise<void> => Promise.resolve(),
      requestTimeoutMillis: 7000,
      raftStatus: () => ({ id: 1n, progress }) as unknown as RaftStatus,
      changeMembership: async (change: ProposedChange) => {
        changes.push(change);
        return made.cluster.members();
      },
    };
    const counted: string[] = [];
    const admin = new MembershipAdmin({
      member: local,
      isStrict,
      metrics: {
        promoted: { inc: () => counted.push('promoted') },
        notPromoted: (reason) => counted.push(reason),
      },
    });
    return { admin, clock, changes, local, counted };
  }

  const failure = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'ok',
      (error: Error) => error.message,
    );

  it('adds a member under an id of its URLs and the time', async () => {
    const { admin, changes } = setUp();
    const added = await admin.add(['http://b:1', 'http://a:1'], false);
    const id = memberId(['http://a:1', 'http://b:1'], '', 1_700_000_060);
    expect(added.member).toEqual(unstarted(id, { peerUrls: ['http://a:1', 'http://b:1'] }));
    expect(added.members).toHaveLength(4);
    expect(changes).toEqual([
      {
        type: ConfChangeType.AddNode,
        nodeId: id,
        context: Buffer.from(`{"id":${id},"peerURLs":["http://a:1","http://b:1"]}`),
      },
    ]);
  });

  it('adds a learner as one', async () => {
    const { admin, changes } = setUp();
    const { member: added } = await admin.add(['http://a:1'], true);
    expect(added.isLearner).toBe(true);
    expect(changes[0]?.type).toBe(ConfChangeType.AddLearnerNode);
    expect(changes[0]?.context.toString()).toContain('"isLearner":true');
  });

  it('proposes nothing that the strict check refuses, unless it is off', async () => {
    const alone = { connected: [1n] };
    const strict = setUp(alone);
    const unhealthy = 'etcdserver: unhealthy cluster';
    expect(await failure(strict.admin.add(['http://a:1'], false))).toBe(unhealthy);
    expect(await failure(strict.admin.remove(1n))).toBe(unhealthy);
    expect(strict.changes).toEqual([]);
    const loose = setUp({ ...alone, isStrict: false });
    expect(await failure(loose.admin.add(['http://a:1'], false))).toBe('ok');
    expect(await failure(loose.admin.remove(1n))).toBe('ok');
    expect(loose.changes).toHaveLength(2);
  });

  it('removes and updates', async () => {
    const { admin, changes } = setUp();
    await admin.remove(3n);
    await admin.update(2n, ['http://y:1', 'http://x:1']);
    expect(changes).toEqual([
      { type: ConfChangeType.RemoveNode, nodeId: 3n, context: Buffer.alloc(0) },
      {
        type: ConfChangeType.UpdateNode,
        nodeId: 2n,
        context: Buffer.from('{"id":2,"peerURLs":["http://y:1","http://x:1"]}'),
      },
    ]);
  });

  describe('as the leader', () => {
    it.each([
      [90, 'ok'],
      [89, 'etcdserver: can only promote a learner member which is in sync with leader'],
    ])('promotes a learner that holds %i of 100 entries: %s', async (index, outcome) => {
      const { admin, changes, counted } = setUp({ match: { 1: 100, 9: index } });
      expect(await failure(admin.promote(9n, undefined, NEVER))).toBe(outcome);
      expect(changes.map(({ context }) => context.toString())).toEqual(
        outcome === 'ok' ? ['{"id":9,"peerURLs":null,"isPromote":true}'] : [],
      );
      expect(counted).toEqual([outcome === 'ok' ? 'promoted' : outcome]);
    });

    it('does not know a member that its log goes nowhere', async () => {
      const { admin } = setUp();
      expect(await failure(admin.promote(7n, undefined, NEVER))).toBe(
        'etcdserver: member not found',
      );
    });

    it('leaves it to the log whether it is a learner', async () => {
      const { admin, changes } = setUp();
      await admin.promote(2n, undefined, NEVER);
      expect(changes[0]).toMatchObject({ type: ConfChangeType.AddNode, nodeId: 2n });
    });

    it('keeps a quorum of voters that have started', async () => {
      const members = [member(1n), unstarted(2n), unstarted(3n), LEARNER];
      const { admin } = setUp({ members });
      expect(await failure(admin.promote(9n, undefined, NEVER))).toBe(
        'etcdserver: re-configuration failed due to not enough started members',
      );
    });

    it('waits until it has applied what is committed, for a second', async () => {
      const { admin, local, changes } = setUp();
      const timeouts: number[] = [];
      local.whenApplied = (timeoutMillis) => {
        timeouts.push(timeoutMillis);
        return Promise.reject(etcdError('TimeoutWaitAppliedIndex'));
      };
      expect(await failure(admin.promote(9n, undefined, NEVER))).toBe(
        'etcdserver: request timed out, waiting for the applied index took too long',
      );
      expect(timeouts).toEqual([1000]);
      expect(changes).toEqual([]);
    });
  });

  describe('as a follower', () => {
    it('asks the leader, with the token, until it answers', async () => {
      const asked: unknown[] = [];
      const { admin, clock, changes, counted } = setUp({
        leader: 2n,
        promoteAtLeader: async (urls, id, authorization) => {
          asked.push([urls, id, authorization]);
          if (asked.length < 3) throw new Error('connection refused');
          return [member(2n)];
        },
      });
      const answer = admin.promote(9n, 'a token', NEVER);
      await pass(clock, 200);
      expect(await answer).toEqual([member(2n)]);
      expect(asked).toEqual(Array.from({ length: 3 }, () => [['http://2'], 9n, 'a token']));
      expect(changes).toEqual([]);
      expect(counted).toEqual([]);
    });

    it.each(['MemberNotFound', 'MemberNotLearner', 'LearnerNotReady'] as const)(
      'believes the leader: %s',
      async (name) => {
        const refuse = () => Promise.reject(etcdError(name));
        const { admin } = setUp({ leader: 2n, promoteAtLeader: refuse });
        const { message } = etcdError(name);
        expect(await failure(admin.promote(9n, undefined, NEVER))).toBe(message);
      },
    );

    it('gives up in the end', async () => {
      const busy = () => Promise.reject(etcdError('NotLeader'));
      const led = setUp({ leader: 2n, promoteAtLeader: busy });
      const timedOut = failure(led.admin.promote(9n, undefined, NEVER));
      await pass(led.clock, 7100);
      expect(await timedOut).toBe('etcdserver: request timed out');
      const lost = setUp({ leader: 0n });
      const noLeader = failure(lost.admin.promote(9n, undefined, NEVER));
      await pass(lost.clock, 7100);
      expect(await noLeader).toBe('etcdserver: no leader');
    });

    it('lets others have their turn while it hears that it leads and that it does not', async () => {
      const { admin, clock, local, changes } = setUp();
      const { raftStatus } = local;
      let asked = 0;
      local.raftStatus = () => {
        // A loop without a pause would otherwise never end.
        if (++asked > 1000) throw new Error('asked all the time');
        return { id: 1n, progress: new Map() } as unknown as RaftStatus;
      };
      const promoted = failure(admin.promote(9n, undefined, NEVER));
      await pass(clock, 200);
      expect(asked).toBeLessThan(6);
      local.raftStatus = raftStatus;
      await pass(clock, 100);
      expect(await promoted).toBe('ok');
      expect(changes).toHaveLength(1);
    });

    it('ends with the call', async () => {
      const { admin, clock } = setUp({ leader: 0n });
      const controller = new AbortController();
      const canceled = failure(admin.promote(9n, undefined, controller.signal));
      await pass(clock, 200);
      controller.abort();
      await pass(clock, 100);
      expect(await canceled).toBe('etcdserver: request canceled');
    });

    it('does it itself if it leads by then', async () => {
      const { admin, clock, local, changes } = setUp({ leader: 0n });
      const promoted = failure(admin.promote(9n, undefined, NEVER));
      await pass(clock, 100);
      local.leaderId = 1n;
      local.isLeader = true;
      await pass(clock, 100);
      expect(await promoted).toBe('ok');
      expect(changes).toHaveLength(1);
    });
  });
});

/** Lets time go by, in steps that leave the waits between them their turn. */
async function pass(clock: ManualClock, millis: number): Promise<void> {
  for (let at = 0; at < millis; at += 10) {
    clock.advance(10);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}
