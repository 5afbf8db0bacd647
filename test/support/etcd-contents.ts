import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { Client } from '../../src/client/client.js';
import { Permission_Type as PermissionType } from '../../src/proto/gen/authpb/auth.js';
import { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';

const ALL = Buffer.of(0);

/** A lease that {@link fillEtcd} attaches keys to. */
export const FILLED_LEASE = 77n;
/** Keys, leases and users that {@link fillEtcd} leaves; a further lease without a key among them. */
const FILLED_USER = { name: 'reader', password: 'secret' };

/** What a client sees of a member, in a form that can be compared. */
export interface EtcdContents {
  readonly revision: number;
  /** Key, and a hash of value, revisions, version and lease. */
  readonly keys: readonly string[];
  /** HashKV at the current revision. */
  readonly hash: number;
  readonly compactRevision: number;
  /** HashKV at a revision in the middle of what is not compacted. */
  readonly middleHash: number;
  /** Id, granted time to live, keys. */
  readonly leases: readonly string[];
  readonly users: readonly string[];
  /** All but root. */
  readonly roles: readonly string[];
  /** Id and peer URLs. */
  readonly members: readonly string[];
  readonly clusterId: bigint;
}

interface Credentials {
  readonly user?: string;
  readonly password?: string;
}

/** Runs `work` with a client of its own. */
export async function withClient<T>(
  endpoint: string,
  work: (client: Client) => Promise<T>,
  credentials: Credentials = {},
): Promise<T> {
  const client = new Client({ endpoints: [endpoint], ...credentials });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Reads all that there is. */
export function contentsOf(endpoint: string, credentials?: Credentials): Promise<EtcdContents> {
  return withClient(endpoint, readContents, credentials);
}

async function readContents(client: Client): Promise<EtcdContents> {
  const range = await client.kv.range({ key: ALL, rangeEnd: ALL });
  const revision = range.header?.revision ?? 0;
  const { hash, compactRevision } = await client.maintenance.hashKv(0);
  const middle = Math.ceil((Math.max(compactRevision, 1) + revision) / 2);
  const { members, header } = await client.cluster.memberList();
  return {
    revision,
    keys: digest(range.kvs),
    hash,
    compactRevision,
    middleHash: (await client.maintenance.hashKv(middle)).hash,
    leases: await leasesOf(client),
    users: await usersOf(client),
    roles: await rolesOf(client),
    members: members.map(({ ID, peerURLs }) => `${ID.toString(16)} ${peerURLs}`).sort(),
    clusterId: header?.clusterId ?? 0n,
  };
}

/** Renews the lease that `key` is on, revokes it, and sees the key go. @throws if it does not */
export async function expectLeaseWorks({ kv, lease }: Client, key: string): Promise<void> {
  const range = { key: Buffer.from(key) };
  const ID = (await kv.range(range)).kvs[0]?.lease ?? 0n;
  expect(ID, `the lease of ${key}`).not.toBe(0n);
  expect((await lease.keepAliveOnce(ID)).TTL).toBeGreaterThan(0);
  await lease.revoke(ID);
  expect((await kv.range(range)).kvs).toEqual([]);
}

export function digest(keys: readonly KeyValue[]): string[] {
  return keys.map((keyValue) => {
    const hash = createHash('sha256').update(KeyValue.encode(keyValue).finish()).digest('hex');
    return `${keyValue.key} ${hash}`;
  });
}

async function leasesOf({ lease }: Client): Promise<string[]> {
  const { leases } = await lease.list();
  const texts = leases.map(async ({ ID }) => {
    const { grantedTTL, keys } = await lease.timeToLive({ ID, keys: true });
    return `${ID} ${grantedTTL} ${keys.map(String).sort()}`;
  });
  return (await Promise.all(texts)).sort();
}

async function usersOf({ auth }: Client): Promise<string[]> {
  const { users } = await auth.userList();
  return Promise.all(users.map(async (name) => `${name} ${(await auth.userGet(name)).roles}`));
}

async function rolesOf({ auth }: Client): Promise<string[]> {
  const { roles } = await auth.roleList();
  // Later releases tell a permission of root that is nowhere stored.
  const others = roles.filter((name) => name !== 'root');
  return Promise.all(
    others.map(async (name) => {
      const { perm } = await auth.roleGet(name);
      return `${name} ${perm.map((each) => `${each.permType} ${each.key} ${each.rangeEnd}`)}`;
    }),
  );
}

/** Leaves keys of all sizes, leases, deletions, a compaction, users and roles behind. */
export async function fillEtcd(endpoint: string, keys = 600): Promise<void> {
  await withClient(endpoint, async ({ kv, lease, auth }) => {
    await lease.grant({ ID: FILLED_LEASE, TTL: 3600 });
    await lease.grant({ ID: FILLED_LEASE + 1n, TTL: 7200 });
    for (let at = 0; at < keys; at += 100) {
      const puts = Array.from({ length: 100 }, (_, index) => {
        const key = Buffer.from(`key-${String((at + index) % (keys - 100)).padStart(5, '0')}`);
        const value = Buffer.alloc((at + index) % 700, index);
        return kv.put({ key, value, lease: index % 10 === 0 ? FILLED_LEASE : 0n });
      });
      await Promise.all(puts);
    }
    await kv.put({ key: Buffer.from('large'), value: Buffer.alloc(1_400_000, 'x') });
    await kv.deleteRange({ key: Buffer.from('key-001'), rangeEnd: Buffer.from('key-002') });
    const { header } = await kv.put({ key: Buffer.from('late'), value: Buffer.from('1') });
    await kv.compact({ revision: (header?.revision ?? 0) - 50, physical: true });
    await kv.deleteRange({ key: Buffer.from('key-00300') });
    await kv.put({ key: Buffer.from('key-00300'), value: Buffer.from('again') });
    await auth.userAdd({ ...FILLED_USER });
    await auth.roleAdd('readers');
    const perm = {
      permType: PermissionType.READ,
      key: Buffer.from('key-'),
      rangeEnd: Buffer.from('key.'),
    };
    await auth.roleGrantPermission('readers', perm);
    await auth.userGrantRole(FILLED_USER.name, 'readers');
  });
}
