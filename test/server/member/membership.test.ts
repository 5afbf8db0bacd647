import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { Request } from '../../../src/proto/gen/etcdserverpb/etcdserver.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import { decodeLoggedRequest } from '../../../src/server/apply/store-request.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import { MembershipAdmin } from '../../../src/server/membership/membership-admin.js';
import type { PeerCalls } from '../../../src/server/peer/peer-calls.js';
import type { PeerTransport } from '../../../src/server/peer/peer-transport.js';
import { publish } from '../../../src/server/publish.js';
import { readWal } from '../../../src/storage/wal/reader.js';
import { type MemberDisks, newDisks, openInMemory } from '../../support/in-memory-member.js';
import { lonelyCalls, lonelyTransport } from '../../support/lonely-peers.js';

const ATTRIBUTES = { name: 'default', clientUrls: ['http://127.0.0.1:2379'] };

/** A transport to members of which none is there. */
function deafTransport(): PeerTransport {
  return { ...lonelyTransport(), send() {}, sendSnapshot: (_, database) => database.close() };
}

/** Calls to members that tell their release, and answer nothing else. */
function callsTo(server: string): PeerCalls {
  return { ...lonelyCalls, version: async () => ({ server, cluster: '3.4.0', storage: '' }) };
}

describe('a member whose cluster changes', () => {
  const members: LocalMember[] = [];
  afterEach(async () => {
    for (const member of members.splice(0)) await member.stop();
  });

  async function start(disks: MemberDisks, calls = lonelyCalls) {
    const overrides = { createTransport: deafTransport, calls };
    const { member } = await openInMemory(disks, {}, overrides);
    members.push(member);
    member.start();
    await member.whenLeader();
    return { member, admin: new MembershipAdmin({ member, isStrict: true }) };
  }

  it('adds, updates and removes a learner that never starts', async () => {
    const { member, admin } = await start(newDisks());
    await publish(member, ATTRIBUTES, silentLogger);
    const { member: added } = await admin.add(['http://127.0.0.1:1'], true);
    expect(member.cluster.member(added.id)).toEqual(added);
    await expect(admin.add(['http://127.0.0.1:2'], true)).rejects.toThrow('too many learner');
    await expect(admin.promote(added.id, undefined, new AbortController().signal)).rejects.toThrow(
      'in sync with leader',
    );
    await expect(member.transferLeadership(added.id)).rejects.toThrow('bad leader transferee');
    await admin.update(added.id, ['http://127.0.0.1:3']);
    const updated = { ...added, peerUrls: ['http://127.0.0.1:3'] };
    expect(member.cluster.member(added.id)).toEqual(updated);
    expect(await admin.remove(added.id)).toHaveLength(1);
    await expect(admin.remove(added.id)).rejects.toThrow('member not found');
    const again = await admin.add(['http://127.0.0.1:3'], true).catch((error: Error) => error);
    // Within the same second it would be the same member again, which was removed.
    if (again instanceof Error) expect(again.message).toBe('etcdserver: member not found');
    else expect(again.member.id).not.toBe(added.id);
  });

  it('comes back with the members that it had', async () => {
    const disks = newDisks();
    const first = await start(disks);
    await publish(first.member, ATTRIBUTES, silentLogger);
    const { member: learner } = await first.admin.add(['http://127.0.0.1:1'], true);
    const before = first.member.cluster.members();
    await first.member.stop();
    members.pop();
    const second = await start(disks);
    expect(second.member.cluster.members()).toEqual(before);
    await second.admin.remove(learner.id);
    expect(second.member.cluster.isRemoved(learner.id)).toBe(true);
  });

  it.each([
    ['3.4.23', 'v2', '3.4.0'],
    ['3.5.30', 'v3', '3.5.0'],
    ['3.7.1', 'v3', '3.7.0'],
  ])('publishes so that a member of %s understands it', async (release, form, version) => {
    const disks = newDisks();
    const { member } = await start(disks, callsTo(release));
    const type = ConfChangeType.AddLearnerNode;
    const context = Buffer.from('{"id":9,"peerURLs":["http://127.0.0.1:1"],"isLearner":true}');
    await member.changeMembership({ type, nodeId: 9n, context });
    await publish(member, ATTRIBUTES, silentLogger);
    expect(member.cluster.version).toBe(version);
    expect(member.cluster.localMember).toMatchObject(ATTRIBUTES);
    await member.stop();
    members.pop();
    const { entries } = await readWal(disks.fs, '/data/member/wal');
    const written = entries.flatMap(({ type: kind, data }) => {
      const found = kind === 0 && data.length > 0 ? decodeLoggedRequest(data) : undefined;
      return found === undefined ? [] : [[found.kind, Request.decode(data).Method] as const];
    });
    const method = form === 'v2' ? 'PUT' : undefined;
    expect(written).toEqual([
      ['clusterMemberAttrSet', method],
      ['clusterVersionSet', method],
    ]);
  });
});
