import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { isEtcdError } from '../../../src/proto/errors.js';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import { MemoryCluster } from '../../support/memory-cluster.js';

let cluster: MemoryCluster | undefined;

afterEach(async () => {
  await cluster?.stopAll();
  cluster = undefined;
});

async function start(
  settings: ConstructorParameters<typeof MemoryCluster>[1] = {},
): Promise<LocalMember[]> {
  cluster = new MemoryCluster(['a', 'b', 'c'], settings);
  const opened = await cluster.startAll();
  const members = opened.map(({ member }) => member);
  for (const member of members) await member.whenLeader();
  return members;
}

async function put(member: LocalMember, key: string, value = 'v'): Promise<number> {
  const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) });
  const { revision } = await member.propose('put', request, PutRequest.encode(request).finish());
  return revision;
}

async function hashes(members: readonly LocalMember[]): Promise<Set<number>> {
  const all = new Set<number>();
  for (const member of members) {
    await catchUp(member);
    all.add((await member.store.hashKeyValues(0)).hash);
  }
  return all;
}

describe('three members', () => {
  it('elect one leader, and apply what any of them proposes', async () => {
    const members = await start();
    expect(new Set(members.map(({ leaderId }) => leaderId)).size).toBe(1);
    expect(members.filter(({ isLeader }) => isLeader)).toHaveLength(1);
    const revisions = await Promise.all(
      Array.from({ length: 300 }, (_, i) => put(members[i % 3] as LocalMember, `k${i}`)),
    );
    expect(new Set(revisions).size).toBe(300);
    expect(await hashes(members)).toHaveProperty('size', 1);
    for (const member of members) expect(member.store.currentRevision).toBe(301);
  });

  it('go on when the leader is cut off, and bring it up to date', async () => {
    const members = await start();
    const old = members.find(({ isLeader }) => isLeader) as LocalMember;
    const others = members.filter((member) => member !== old);
    await put(old, 'before');
    cluster?.network.isolate(old.cluster.localMemberId);
    const next = await leaderAmong(others);
    expect(await put(next, 'after')).toBe(3);
    cluster?.network.heal();
    await catchUp(old);
    expect(old.isLeader).toBe(false);
    expect(await hashes(members)).toHaveProperty('size', 1);
  });

  it('hand the leadership over on request', async () => {
    const members = await start();
    const leader = members.find(({ isLeader }) => isLeader) as LocalMember;
    const other = members.find((member) => member !== leader) as LocalMember;
    await leader.transferLeadership(other.cluster.localMemberId);
    await catchUp(other);
    expect(other.isLeader).toBe(true);
    expect(await put(leader, 'k')).toBe(2);
  });

  it('send a snapshot to one that is far behind', async () => {
    const members = await start({ snapshotCatchUpEntries: 50, snapshotCount: 200 });
    const late = members.find(({ isLeader }) => !isLeader) as LocalMember;
    const others = members.filter((member) => member !== late);
    cluster?.network.isolate(late.cluster.localMemberId);
    const leader = await leaderAmong(others);
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(leader, `k${i}`, `${round}`)));
    }
    cluster?.network.heal();
    await catchUp(late);
    expect(late.store.currentRevision).toBe(1001);
    expect(await hashes(members)).toHaveProperty('size', 1);
    expect(await put(late, 'late')).toBe(1002);
    expect(cluster?.failures.size).toBe(0);
  });

  it('find each other again after all of them stopped', async () => {
    const [first] = await start();
    for (let i = 0; i < 20; i++) await put(first as LocalMember, `k${i}`);
    await cluster?.stopAll();
    const again = (await cluster?.startAll())?.map(({ member }) => member) ?? [];
    for (const member of again) await catchUp(member);
    for (const member of again) expect(member.store.currentRevision).toBe(21);
    expect(await put(again[1] as LocalMember, 'k')).toBe(22);
  });
});

/** A read that was under way when the leader changed is refused, and asked again. */
async function catchUp(member: LocalMember): Promise<void> {
  for (;;) {
    try {
      await member.linearizableRead();
      return;
    } catch (error) {
      if (!isEtcdError(error, 'LeaderChanged')) throw error;
    }
  }
}

async function leaderAmong(members: readonly LocalMember[]): Promise<LocalMember> {
  for (;;) {
    const leader = members.find(({ isLeader }) => isLeader);
    if (leader !== undefined) return leader;
    await sleep(10);
  }
}
