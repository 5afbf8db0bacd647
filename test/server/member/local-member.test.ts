import { afterEach, describe, expect, it } from 'vitest';
import { PutRequest } from '../../../src/proto/gen/etcdserverpb/rpc.js';
import type { LocalMember } from '../../../src/server/local-member.js';
import { type MemberDisks, newDisks, startMember } from '../../support/in-memory-member.js';

const running: LocalMember[] = [];

async function start(disks: MemberDisks): Promise<LocalMember> {
  const { member } = await startMember(disks);
  running.push(member);
  return member;
}

async function put(member: LocalMember, key: string, value: string): Promise<number> {
  const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) });
  const { revision } = await member.propose('put', request, PutRequest.encode(request).finish());
  return revision;
}

function get(member: LocalMember, key: string): string | undefined {
  const found = member.store.keyValueAt(key, member.store.currentRevision);
  return found?.toString('latin1');
}

describe('LocalMember', () => {
  afterEach(async () => {
    for (const member of running.splice(0)) await member.stop();
  });

  it('applies what is proposed, in order', async () => {
    const member = await start(newDisks());
    const revisions = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => put(member, `k${i}`, `v${i}`)),
    );
    expect(revisions).toEqual(Array.from({ length: 1000 }, (_, i) => i + 2));
    await member.linearizableRead();
    expect(get(member, 'k999')).toContain('v999');
  });

  it('finds everything again after a clean stop', async () => {
    const disks = newDisks();
    const first = await start(disks);
    for (let i = 0; i < 20; i++) await put(first, 'k', `v${i}`);
    await first.stop();
    const second = await start(disks);
    expect(second.store.currentRevision).toBe(21);
    expect(get(second, 'k')).toContain('v19');
    expect(await put(second, 'k', 'again')).toBe(22);
    expect(second.cluster.members()).toHaveLength(1);
    expect(second.term).toBeGreaterThan(2);
  });

  it('refuses an entry that is too large', async () => {
    const member = await start(newDisks());
    await expect(put(member, 'k', 'x'.repeat(1_572_864))).rejects.toThrow('request is too large');
  });

  it('refuses everything once it is stopped', async () => {
    const member = await start(newDisks());
    const late = put(member, 'k', 'v');
    await member.stop();
    await late.catch((error: Error) => expect(error.message).toContain('server stopped'));
    await expect(put(member, 'k', 'v')).rejects.toThrow('server stopped');
    await expect(member.linearizableRead()).rejects.toThrow('server stopped');
  });
});
