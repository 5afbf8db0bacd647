import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import type { PeerReceiver } from '../../../src/server/peer/peer-transport.js';
import { CountedClock } from '../../support/counted-clock.js';
import { newDisks, openInMemory } from '../../support/in-memory-member.js';
import { lonelyTransport } from '../../support/lonely-peers.js';
import { MemoryCluster } from '../../support/memory-cluster.js';

let cluster: MemoryCluster | undefined;

afterEach(async () => {
  await cluster?.stopAll();
  cluster = undefined;
});

async function start(clock: CountedClock): Promise<LocalMember[]> {
  cluster = new MemoryCluster(['a', 'b', 'c'], {}, clock);
  const opened = await cluster.startAll();
  const members = opened.map(({ member }) => member);
  for (const member of members) await member.whenLeader();
  return members;
}

function put(member: LocalMember): Promise<unknown> {
  const request = PutRequest.create({ key: Buffer.from('k'), value: Buffer.from('v') });
  return member.propose('put', request, PutRequest.encode(request).finish());
}

describe('members that are stopped', () => {
  it('leave no timer and no request behind, whatever was under way', async () => {
    const clock = new CountedClock();
    const members = await start(clock);
    const never = new AbortController().signal;
    const requests = members.flatMap((member) => [
      put(member),
      member.linearizableRead(),
      member.leases.renew(1n, never),
      member.leases.timeToLive(1n, true),
    ]);
    const answered = Promise.allSettled(requests);
    const stopped = clock.monotonicMillis();
    await cluster?.stopAll();
    await answered;
    const timeout = members[0]?.requestTimeoutMillis ?? 0;
    expect(clock.monotonicMillis() - stopped).toBeLessThan(timeout / 2);
    expect(clock.openTimers).toBe(0);
  });

  it('fail once, however many others say that they were removed', async () => {
    const failures: unknown[] = [];
    let receiver: PeerReceiver | undefined;
    const { member } = await openInMemory(
      newDisks(),
      {},
      {
        createTransport: (_identity, peerReceiver) => {
          receiver = peerReceiver;
          return lonelyTransport();
        },
        onFatal: (error) => failures.push(error),
      },
    );
    member.start();
    for (let peer = 0; peer < 3; peer++) receiver?.reportRemoved();
    await member.stop();
    receiver?.reportRemoved();
    expect(failures).toHaveLength(1);
  });

  it('leave no timer behind where they were removed just before', async () => {
    const clock = new CountedClock();
    const members = await start(clock);
    const leader = members.find(({ isLeader }) => isLeader) as LocalMember;
    const gone = members.find(({ isLeader }) => !isLeader) as LocalMember;
    const id = gone.cluster.localMemberId;
    const context = Buffer.alloc(0);
    await leader.changeMembership({ type: ConfChangeType.RemoveNode, nodeId: id, context });
    while (!gone.cluster.isRemoved(id)) await nextTurn();
    await cluster?.stopAll();
    expect(clock.openTimers).toBe(0);
  });
});
