import { describe, expect, it } from 'vitest';
import { ConfChangeType } from '../../src/raft/confchange/conf-change.js';
import { MAX_PENDING_READS } from '../../src/raft/leader.js';
import { MemoryStorage } from '../../src/raft/memory-storage.js';
import { RawNode } from '../../src/raft/raw-node.js';
import { EntryType, type Message, MessageType, newMessage, Role } from '../../src/raft/types.js';
import { Cluster, type Member } from './support/cluster.js';
import { memberConfig } from './support/node.js';

const CONTEXT = Buffer.from('\x01\x02\x03\x04\x05\x06\x07\x08');

/** Three voters (and blank members beyond them) of whom the first leads. */
function elected(overrides: ConstructorParameters<typeof Cluster>[2] = {}, size = 3): Cluster {
  const cluster = new Cluster(size, 3, overrides);
  cluster.member(1n).node.campaign();
  cluster.settle();
  expect(cluster.leader().id).toBe(1n);
  return cluster;
}

function tick(member: Member, count: number): void {
  for (let ticks = 0; ticks < count; ticks++) member.node.tick();
}

/** Everything that `member` would send now, its appends being durable. */
function outgoing(member: Member): Message[] {
  const messages: Message[] = [];
  while (member.node.hasReady() || member.disk.length > 0) {
    messages.push(...(member.node.hasReady() ? member.takeReady() : member.sync()));
  }
  return messages;
}

function from(sender: bigint, to: bigint, type: MessageType, fields: Partial<Message>): Message {
  return { ...newMessage(type, to), from: sender, ...fields };
}

describe('replication', () => {
  it('brings every proposal to every member, also those forwarded by followers', () => {
    const cluster = elected();
    cluster.member(1n).propose('a');
    cluster.member(2n).propose('b');
    cluster.settle();
    for (const member of cluster.members) expect(member.applied).toEqual(['', 'a', 'b']);
  });

  it('sends the appends of a leader before they are durable, its acknowledgement after', () => {
    const cluster = elected();
    const leader = cluster.member(1n);
    leader.node.proposeBatch([Buffer.from('a'), Buffer.from('b')]);
    const messages = leader.takeReady();
    expect(messages.map(({ type, to, entries }) => [type, to, entries.length])).toEqual([
      [MessageType.App, 2n, 2],
      [MessageType.App, 3n, 2],
    ]);
    cluster.send(messages);
    expect(leader.disk).toHaveLength(1);
    for (const id of [2n, 3n]) {
      const append = messages.find(({ to }) => to === id);
      if (append === undefined) throw new Error('no append');
      cluster.member(id).receive(append);
      for (const answer of outgoing(cluster.member(id))) leader.receive(answer);
    }
    // The followers are a quorum without the leader's own disk.
    expect(leader.node.status().commit).toBe(4);
    expect(leader.takeReady().filter(({ type }) => type === MessageType.App)).toHaveLength(2);
    // But the leader applies only what its own storage holds.
    expect(leader.applied).toEqual(['']);
    leader.sync();
    leader.takeReady();
    expect(leader.applied).toEqual(['', 'a', 'b']);
  });

  it('does not acknowledge, as a follower, what is not durable', () => {
    const cluster = elected();
    cluster.member(1n).propose('a');
    const follower = cluster.member(2n);
    for (const message of outgoing(cluster.member(1n))) {
      if (message.to === 2n) follower.receive(message);
    }
    expect(follower.takeReady()).toEqual([]);
    expect(follower.sync().map(({ type, index }) => [type, index])).toEqual([
      [MessageType.AppResp, 3],
    ]);
  });

  it('recovers lost appends with the next heartbeat', () => {
    const cluster = elected();
    cluster.member(1n).propose('a');
    cluster.settle(({ type, to }) => type === MessageType.App && to === 3n);
    cluster.member(1n).propose('b');
    cluster.settle(({ type, to }) => type === MessageType.App && to === 3n);
    expect(cluster.member(3n).applied).toEqual(['']);
    for (let round = 0; round < 3; round++) {
      cluster.member(1n).node.tick();
      cluster.settle();
    }
    expect(cluster.member(3n).applied).toEqual(['', 'a', 'b']);
  });

  it('probes a follower that was reported unreachable', () => {
    const cluster = elected();
    const { node } = cluster.member(1n);
    node.reportUnreachable(2n);
    expect(node.status().progress.get(2n)?.text).toContain('StateProbe match=2 next=3');
    node.reportUnreachable(9n);
  });
});

describe('snapshots', () => {
  it('bring in a member whose entries were compacted away', () => {
    const cluster = elected({}, 4);
    const leader = cluster.member(1n);
    leader.propose('a');
    cluster.settle();
    const change = { type: ConfChangeType.AddNode, nodeId: 4n, id: 7n, context: CONTEXT };
    leader.node.proposeConfChange(change);
    cluster.settle(({ to }) => to === 4n);
    leader.compact();
    tick(leader, 1);
    cluster.settle();
    leader.propose('b');
    cluster.settle();
    expect(cluster.member(4n).applied).toEqual(['', 'a', 'b']);
    expect(cluster.member(4n).node.status().config.voters.ids).toEqual([1n, 2n, 3n, 4n]);
  });

  it.each([true, false])('are followed by probing when reported: ok %s', (ok) => {
    const cluster = elected();
    const leader = cluster.member(1n);
    const progress = (): string => leader.node.status().progress.get(3n)?.text ?? '';
    const lost = ({ to }: Message): boolean => to === 3n;
    leader.propose('a');
    cluster.settle(lost);
    leader.compact();
    leader.node.reportUnreachable(3n);
    // The leader no longer has the entry that the member would have to agree on.
    tick(leader, 1);
    cluster.settle(({ type }) => type === MessageType.Snap);
    leader.node.reportUnreachable(3n);
    leader.receive(from(3n, 1n, MessageType.HeartbeatResp, { term: 2 }));
    const [sent] = outgoing(leader).filter(({ type }) => type === MessageType.Snap);
    expect(sent?.snapshot?.index).toBe(3);
    expect(progress()).toBe('StateSnapshot match=2 next=4 paused pendingSnap=3');
    leader.node.reportSnapshot(3n, ok);
    expect(progress()).toBe(`StateProbe match=2 next=${ok ? 4 : 3} paused`);
  });

  it('only move the commit index of a member that has the entries', () => {
    const cluster = elected();
    cluster.member(1n).propose('a');
    cluster.settle(({ type, commit, to }) => to === 2n && type === MessageType.App && commit === 3);
    const follower = cluster.member(2n);
    expect(follower.node.status()).toMatchObject({ commit: 2, lastIndex: 3, term: 2 });
    const snapshot = cluster.member(1n).storage.snapshot();
    follower.receive(from(1n, 2n, MessageType.Snap, { term: 2, snapshot }));
    const [answer] = outgoing(follower);
    expect(answer).toMatchObject({ type: MessageType.AppResp, index: 3, reject: false });
    expect(follower.applied).toEqual(['', 'a']);
  });
});

describe('reads', () => {
  it('are confirmed by a quorum, on the leader and for followers', () => {
    const cluster = elected();
    for (const id of [1n, 2n]) {
      const member = cluster.member(id);
      member.node.readIndex(CONTEXT);
      expect(member.readStates).toEqual([]);
      cluster.settle();
      expect(member.readStates).toEqual([{ index: 2, context: CONTEXT }]);
    }
  });

  it('are not answered by a leader that lost its quorum', () => {
    const cluster = elected();
    const leader = cluster.member(1n);
    leader.node.readIndex(CONTEXT);
    cluster.settle(({ to }) => to !== 1n);
    expect(leader.readStates).toEqual([]);
  });

  it('are confirmed in order by one round that serves all that wait', () => {
    const cluster = elected();
    const leader = cluster.member(1n);
    const contexts = ['11111111', '22222222', '33333333'].map((text) => Buffer.from(text));
    for (const context of contexts) leader.node.readIndex(context);
    // Only the answers to the newest heartbeats arrive.
    const heartbeats = outgoing(leader).filter(({ to }) => to === 2n);
    const newest = heartbeats.at(-1);
    if (newest === undefined) throw new Error('no heartbeat');
    expect(newest.context.toString('hex')).toBe('0300000000000000');
    cluster.member(2n).receive(newest);
    for (const answer of outgoing(cluster.member(2n))) leader.receive(answer);
    outgoing(leader);
    expect(leader.readStates.map(({ context }) => context)).toEqual(contexts);
  });

  it('wait for the first commit of a new leader', () => {
    const cluster = elected();
    const next = cluster.member(2n);
    next.node.transferLeader(2n);
    const isAppend = ({ type, entries }: Message): boolean =>
      type === MessageType.App && entries.length > 0;
    cluster.settle(isAppend);
    expect(next.role).toBe(Role.Leader);
    next.node.readIndex(CONTEXT);
    cluster.settle(isAppend);
    expect(next.readStates).toEqual([]);
    tick(next, 1);
    cluster.settle();
    expect(next.readStates).toEqual([{ index: 3, context: CONTEXT }]);
  });

  it('beyond the bound are dropped', () => {
    const cluster = elected();
    const { node } = cluster.member(1n);
    for (let count = 0; count < MAX_PENDING_READS + 5; count++) node.readIndex(CONTEXT);
    cluster.settle();
    expect(cluster.member(1n).readStates).toHaveLength(MAX_PENDING_READS);
  });

  it('need no round with a lease', () => {
    const cluster = elected({ readOnlyOption: 'lease-based' });
    const leader = cluster.member(1n);
    leader.node.readIndex(CONTEXT);
    leader.takeReady();
    expect(leader.readStates).toEqual([{ index: 2, context: CONTEXT }]);
  });

  it('are lost without a leader', () => {
    const cluster = new Cluster(3, 3);
    cluster.member(1n).node.readIndex(CONTEXT);
    expect(cluster.member(1n).node.hasReady()).toBe(false);
  });
});

describe('leadership', () => {
  it('passes on request, when asked of the leader or of a follower', () => {
    const cluster = elected();
    cluster.member(1n).node.transferLeader(2n);
    cluster.settle();
    expect(cluster.leader().id).toBe(2n);
    cluster.member(3n).node.transferLeader(3n);
    cluster.settle();
    expect(cluster.leader().id).toBe(3n);
  });

  it('is handed over only when the log is complete, and proposals are dropped meanwhile', () => {
    const cluster = elected();
    const leader = cluster.member(1n);
    leader.propose('a');
    cluster.settle(({ to }) => to === 2n);
    leader.node.transferLeader(2n);
    expect(leader.propose('b')).toBe(false);
    expect(leader.node.status().leadTransferee).toBe(2n);
    cluster.settle();
    tick(leader, 1);
    cluster.settle();
    expect(cluster.leader().id).toBe(2n);
    expect(cluster.member(2n).applied).toContain('a');
  });

  it('is kept when the transfer takes longer than an election timeout', () => {
    const cluster = elected();
    const leader = cluster.member(1n);
    leader.propose('a');
    leader.node.transferLeader(2n);
    for (let ticks = 0; ticks < 10; ticks++) {
      tick(leader, 1);
      cluster.settle(({ to }) => to === 2n);
    }
    expect(leader.node.status()).toMatchObject({ role: Role.Leader, leadTransferee: 0n });
    expect(leader.propose('b')).toBe(true);
  });

  it('ends when no quorum is heard of for an election timeout', () => {
    const cluster = elected();
    const leader = cluster.member(1n);
    tick(leader, 10);
    expect(leader.role).toBe(Role.Leader);
    tick(leader, 10);
    expect(leader.role).toBe(Role.Follower);
  });

  it('is not disturbed by a member that was cut off', () => {
    const cluster = elected();
    const alone = cluster.member(3n);
    tick(alone, 30);
    cluster.settle(({ from: sender, to }) => sender === 3n || to === 3n);
    expect(alone.node.status()).toMatchObject({ role: Role.PreCandidate, term: 2 });
    alone.node.campaign();
    cluster.settle();
    expect(cluster.leader().node.status()).toMatchObject({ id: 1n, term: 2 });
  });

  it('is not given to a member with a shorter log', () => {
    const cluster = elected({ preVote: false, checkQuorum: false });
    cluster.member(1n).propose('a');
    cluster.settle(({ to }) => to === 3n);
    cluster.member(3n).node.campaign();
    cluster.settle();
    expect(cluster.member(3n).role).toBe(Role.Follower);
  });

  it('is asked for only once the term and the log are durable', () => {
    const cluster = elected();
    const member = cluster.member(2n);
    member.receive(from(1n, 2n, MessageType.TimeoutNow, { term: 2 }));
    expect(member.takeReady()).toEqual([]);
    expect(member.sync().map(({ type, to }) => [type, to])).toEqual([
      [MessageType.Vote, 1n],
      [MessageType.Vote, 3n],
    ]);
  });

  it('is not sought while a configuration change waits to be applied', () => {
    const cluster = elected();
    const change = { type: ConfChangeType.AddLearnerNode, nodeId: 3n, id: 1n, context: CONTEXT };
    const { node } = cluster.member(1n);
    node.proposeConfChange(change);
    cluster.settle(({ type, commit }) => type === MessageType.App && commit === 3);
    const follower = cluster.member(2n);
    follower.receive(from(1n, 2n, MessageType.Heartbeat, { term: 2, commit: 3 }));
    follower.receive(from(1n, 2n, MessageType.TimeoutNow, { term: 2 }));
    expect(follower.role).toBe(Role.Follower);
    outgoing(follower);
    follower.receive(from(1n, 2n, MessageType.TimeoutNow, { term: 2 }));
    expect(follower.role).toBe(Role.Candidate);
  });
});

describe('messages', () => {
  it('that propose what nobody can read are dropped', () => {
    const cluster = elected();
    const data = Buffer.from('1009', 'hex');
    const entries = [{ type: EntryType.ConfChange, term: 0, index: 0, data }];
    const { node } = cluster.member(1n);
    expect(() => node.step(from(2n, 1n, MessageType.Prop, { entries }))).toThrow(
      'raft proposal dropped',
    );
    expect(node.status().lastIndex).toBe(2);
  });

  it('of local types are refused, and so are answers of strangers', () => {
    const { node } = elected().member(1n);
    const refused = (type: MessageType, sender: bigint): unknown => {
      try {
        node.step(from(sender, 1n, type, { term: 2 }));
      } catch (error) {
        return error;
      }
      return undefined;
    };
    for (const type of [MessageType.Hup, MessageType.Beat, MessageType.CheckQuorum]) {
      expect(refused(type, 2n)).toMatchObject({ code: 'StepLocalMessage' });
    }
    for (const type of [MessageType.AppResp, MessageType.HeartbeatResp, MessageType.VoteResp]) {
      expect(refused(type, 9n)).toMatchObject({ code: 'StepPeerNotFound' });
      expect(refused(type, 2n)).toBeUndefined();
    }
  });

  it('of a stale leader are answered with the own term', () => {
    const cluster = elected();
    const member = cluster.member(2n);
    for (const type of [MessageType.App, MessageType.Heartbeat]) {
      member.receive(from(3n, 2n, type, { term: 1 }));
      expect(outgoing(member)).toMatchObject([{ type: MessageType.AppResp, to: 3n, term: 2 }]);
    }
    member.receive(from(3n, 2n, MessageType.PreVote, { term: 1 }));
    expect(outgoing(member)).toMatchObject([
      { type: MessageType.PreVoteResp, to: 3n, term: 2, reject: true },
    ]);
  });

  it('echo the context of a heartbeat byte for byte', () => {
    const member = elected().member(2n);
    const context = Buffer.from('any bytes \xff\x00', 'latin1');
    member.receive(from(1n, 2n, MessageType.Heartbeat, { term: 2, commit: 2, context }));
    expect(outgoing(member)).toMatchObject([{ type: MessageType.HeartbeatResp, context }]);
  });
});

describe('configuration', () => {
  it.each([
    [{ id: 0n }, 'cannot use none as id'],
    [{ id: 0xffff_ffff_ffff_ffffn }, 'cannot use local target as id'],
    [{ heartbeatTick: 0 }, 'heartbeat tick must be greater than 0'],
    [{ electionTick: 1 }, 'election tick must be greater than heartbeat tick'],
    [{ maxInflightMessages: 0 }, 'max inflight messages must be greater than 0'],
    [{ maxInflightBytes: 1 }, 'max inflight bytes must be >= max message size'],
    [
      { readOnlyOption: 'lease-based', checkQuorum: false },
      'CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased',
    ],
  ] as const)('%o is refused', (overrides, message) => {
    const config = { ...memberConfig(1n, new MemoryStorage()), ...overrides };
    expect(() => new RawNode(config)).toThrow(message);
  });

  it('refuses a commit index outside of the log', () => {
    const storage = new MemoryStorage();
    storage.setHardState({ term: 1, vote: 0n, commit: 5 });
    expect(() => new RawNode(memberConfig(1n, storage))).toThrow(
      '1 state.commit 5 is out of range [0, 0]',
    );
  });

  it('bootstraps only empty storage, and with somebody', () => {
    const { node } = elected().member(1n);
    expect(() => node.bootstrap([{ id: 1n, context: CONTEXT }])).toThrow(
      "can't bootstrap a nonempty Storage",
    );
    const blank = new RawNode(memberConfig(1n, new MemoryStorage()));
    expect(() => blank.bootstrap([])).toThrow('must provide at least one peer');
  });

  it('forbids to mix the two modes', () => {
    const { node } = elected().member(1n);
    expect(() => node.advance()).toThrow(
      'Advance must not be called when using AsyncStorageWrites',
    );
    const sync = new RawNode({
      ...memberConfig(1n, new MemoryStorage()),
      asyncStorageWrites: false,
    });
    sync.bootstrap([{ id: 1n, context: CONTEXT }]);
    sync.ready();
    expect(() => sync.ready()).toThrow('two accepted Ready structs without call to Advance');
  });
});
