import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { errorText } from '../../src/client/errors.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe.skipIf(!hasRealEtcd)('client against a real etcd', () => {
  let etcd: RealEtcd;
  let client: Client;

  beforeAll(async () => {
    etcd = await startRealEtcd();
    client = new Client({ endpoints: [etcd.endpoint] });
  }, 30_000);

  afterAll(async () => {
    client?.close();
    await etcd?.stop();
  });

  it('puts, gets, deletes and commits transactions', async () => {
    const put = await client.kv.put({ key: bytes('a'), value: bytes('1') });
    expect(put.header?.revision).toBeGreaterThan(1);
    const range = await client.kv.range({ key: bytes('a') });
    expect(range.kvs[0]?.value.toString()).toBe('1');
    expect(etcd.ctl(['get', 'a']).toString()).toBe('a\n1\n');
    const txn = await client.kv.txn({
      compare: [
        {
          result: 0,
          target: 3,
          key: bytes('a'),
          targetUnion: { $case: 'value', value: bytes('1') },
          rangeEnd: Buffer.alloc(0),
        },
      ],
      success: [
        {
          request: {
            $case: 'requestDeleteRange',
            value: { key: bytes('a'), rangeEnd: Buffer.alloc(0), prevKv: true },
          },
        },
      ],
    });
    expect(txn.succeeded).toBe(true);
    const [first] = txn.responses;
    expect(first?.response?.$case).toBe('responseDeleteRange');
    expect((await client.kv.range({ key: bytes('a') })).count).toBe(0);
  });

  it('turns known statuses into etcd errors with their bare text', async () => {
    const failure = client.kv.put({ key: Buffer.alloc(0), value: bytes('x') });
    await expect(failure).rejects.toMatchObject({ reason: 'EmptyKey' });
    const compact = client.kv.compact({ revision: 1_000_000 }).catch(errorText);
    expect(await compact).toBe('etcdserver: mvcc: required revision is a future revision');
  });

  it('grants, renews, lists and revokes leases', async () => {
    const { ID } = await client.lease.grant({ TTL: 60 });
    expect((await client.lease.keepAliveOnce(ID)).TTL).toBe(60);
    expect((await client.lease.list()).leases).toContainEqual({ ID });
    expect((await client.lease.timeToLive({ ID })).grantedTTL).toBe(60);
    await client.lease.revoke(ID);
    await expect(client.lease.keepAliveOnce(ID)).rejects.toMatchObject({ reason: 'LeaseNotFound' });
  });

  it('asks for members, status, hashes and alarms', async () => {
    const list = await client.cluster.memberList();
    expect(list.members.map((member) => member.name)).toEqual(['real']);
    const status = await client.maintenance.status();
    expect(status.leader).toBe(list.members[0]?.ID);
    expect((await client.maintenance.hashKv(0)).hash).toBeGreaterThan(0);
    expect((await client.maintenance.alarmList()).alarms).toEqual([]);
    await client.maintenance.defragment();
  });

  it('streams a snapshot with its checksum', async () => {
    let size = 0;
    for await (const part of client.maintenance.snapshot()) {
      size += part.blob.length;
    }
    expect(size % 512).toBe(32);
  });

  it('refuses a request beyond the send limit', async () => {
    const small = new Client({ endpoints: [etcd.endpoint], maxSendBytes: 100 });
    try {
      const failure = small.kv.put({ key: bytes('big'), value: Buffer.alloc(200) });
      expect(await failure.catch(errorText)).toBe(
        'rpc error: code = ResourceExhausted desc = trying to send message larger than max (208 vs. 100)',
      );
    } finally {
      small.close();
    }
  });

  it('refuses a response beyond the receive limit', async () => {
    await client.kv.put({ key: bytes('big'), value: Buffer.alloc(5000, 0x61) });
    const small = new Client({
      endpoints: [etcd.endpoint],
      maxReceiveBytes: 1000,
      maxSendBytes: 900,
    });
    try {
      const failure = await small.kv.range({ key: bytes('big') }).catch(errorText);
      expect(failure).toMatch(
        /^rpc error: code = ResourceExhausted desc = grpc: received message larger than max \(50\d\d vs\. 1000\)$/,
      );
    } finally {
      small.close();
    }
  });

  it('fails over to the endpoint that answers', async () => {
    const both = new Client({ endpoints: ['127.0.0.1:1', etcd.endpoint] });
    try {
      const deadlineMillis = both.deadlineIn(5_000);
      await both.kv.put({ key: bytes('f'), value: bytes('1') }, { deadlineMillis });
    } finally {
      both.close();
    }
  });

  it('logs in, tolerates that authentication is not enabled', async () => {
    const user = new Client({ endpoints: [etcd.endpoint], user: 'root', password: 'x' });
    try {
      await user.authenticate();
      await user.kv.range({ key: bytes('a') });
    } finally {
      user.close();
    }
  });
});
