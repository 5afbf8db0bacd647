import { Agent } from 'node:http';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { etcdError } from '../../../src/proto/errors.js';
import { HttpPeerCalls } from '../../../src/server/peer/http-peer-calls.js';
import {
  createPeerEndpoints,
  type PeerEndpointSource,
  type PeerHandler,
} from '../../../src/server/peer/peer-endpoints.js';
import { serveHttp, type TestHttpServer } from '../../support/http-server.js';
import { freePort } from '../../support/loopback.js';
import { peerSource, plainRequestOptions } from '../../support/peer-source.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../../support/real-etcd.js';

const TIMEOUT_MILLIS = 5000;
const CLUSTER_ID = 0xcdf818194e3a8c32n;

const calls = new HttpPeerCalls({ clock: nodeClock, requestOptions: plainRequestOptions });
const servers: TestHttpServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => calls.close());

/** The URL of a member with these answers. */
async function peer(answers: Partial<PeerEndpointSource>): Promise<string> {
  return raw(
    createPeerEndpoints({ source: peerSource(answers), clock: nodeClock, logger: silentLogger }),
  );
}

async function raw(handle: PeerHandler): Promise<string> {
  const server = await serveHttp(handle);
  servers.push(server);
  return server.url;
}

const deadUrl = async () => `http://127.0.0.1:${await freePort()}`;

describe('questions to peers that are ours', () => {
  it('bring back all members, to the last digit of their ids', async () => {
    const member = fc.record({
      id: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
      peerUrls: fc.array(fc.webUrl()),
      isLearner: fc.boolean(),
      name: fc.oneof(fc.string(), fc.constant('"id":5,\\"id\\":6')),
      clientUrls: fc.array(fc.webUrl()),
    });
    let members: Awaited<ReturnType<typeof calls.members>>['members'] = [];
    const url = await peer({ members: () => members });
    await fc.assert(
      fc.asyncProperty(fc.array(member, { maxLength: 3 }), async (list) => {
        members = list;
        expect(await calls.members([url], TIMEOUT_MILLIS)).toEqual({
          clusterId: CLUSTER_ID,
          members: list,
        });
      }),
      { numRuns: 50 },
    );
  });

  it('bring back versions, hashes, and whether there is a downgrade', async () => {
    const url = await peer({
      isDowngrading: () => true,
      hashKeyValues: async (revision) => {
        if (revision === 3) throw etcdError('Compacted');
        if (revision === 4) throw etcdError('FutureRev');
        return {
          revision: revision || 9,
          currentRevision: 9,
          compactRevision: 3,
          hash: 2 ** 32 - 1,
        };
      },
    });
    expect(await calls.version([url], TIMEOUT_MILLIS)).toEqual({
      server: '3.7.1',
      cluster: '3.7.0',
      storage: '3.7.0',
    });
    expect(await calls.downgradeEnabled([url], TIMEOUT_MILLIS)).toBe(true);
    const hash = { revision: 9, hash: 2 ** 32 - 1, compactRevision: 3 };
    expect(await calls.hashKeyValues([url], 0, TIMEOUT_MILLIS)).toEqual({
      ...hash,
      hashRevision: 9,
    });
    expect(await calls.hashKeyValues([url], 5, TIMEOUT_MILLIS)).toEqual({
      ...hash,
      hashRevision: 5,
    });
    await expect(calls.hashKeyValues([url], 3, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('Compacted'),
    );
    await expect(calls.hashKeyValues([url], 4, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('FutureRev'),
    );
  });

  it('tell a peer of another cluster', async () => {
    const url = await peer({ clusterId: 1n });
    const own = new HttpPeerCalls({
      clock: nodeClock,
      requestOptions: plainRequestOptions,
      clusterId: () => 2n,
    });
    await expect(own.hashKeyValues([url], 0, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('ClusterIDMismatch'),
    );
    await own.close();
  });

  it('renew leases and tell how long they live', async () => {
    const key = Buffer.from([0, 0xff, 0x41]);
    const url = await peer({
      renewLease: async (id) => {
        if (id === 1n) throw etcdError('LeaseNotFound');
        if (id === 2n) throw etcdError('NotPrimaryLessor');
        return 60;
      },
      leaseTimeToLive: (id, wantsKeys) => {
        if (id === 1n) throw etcdError('LeaseNotFound');
        if (id === 2n) throw etcdError('NotPrimaryLessor');
        return { id, ttlSeconds: -1, grantedTtlSeconds: 60, keys: wantsKeys ? [key] : [] };
      },
    });
    const id = -(2n ** 63n);
    expect(await calls.renewLease([url], id, TIMEOUT_MILLIS)).toBe(60);
    expect(await calls.leaseTimeToLive([url], id, true, TIMEOUT_MILLIS)).toEqual({
      id,
      ttlSeconds: -1,
      grantedTtlSeconds: 60,
      keys: [key],
    });
    expect((await calls.leaseTimeToLive([url], id, false, TIMEOUT_MILLIS)).keys).toEqual([]);
    for (const [lease, name] of [
      [1n, 'LeaseNotFound'],
      [2n, 'NotPrimaryLessor'],
    ] as const) {
      await expect(calls.renewLease([url], lease, TIMEOUT_MILLIS)).rejects.toEqual(etcdError(name));
      await expect(calls.leaseTimeToLive([url], lease, true, TIMEOUT_MILLIS)).rejects.toEqual(
        etcdError(name),
      );
    }
  });

  it('tell that a peer lags behind its log', async () => {
    const url = await peer({
      waitApplied: async () => {
        throw etcdError('TimeoutWaitAppliedIndex');
      },
    });
    await expect(calls.renewLease([url], 1n, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('TimeoutWaitAppliedIndex'),
    );
  });

  it('promote with the token of the caller', async () => {
    const tokens: unknown[] = [];
    const url = await peer({
      promote: async (id, authorization) => {
        tokens.push(authorization);
        if (id === 1n) throw etcdError('MemberNotFound');
        if (id === 2n) throw etcdError('MemberNotLearner');
        if (id === 3n) throw etcdError('LearnerNotReady');
        return [{ id, peerUrls: [], isLearner: false, name: '', clientUrls: [] }];
      },
    });
    const id = 2n ** 64n - 1n;
    expect(await calls.promote([url], id, 'secret', TIMEOUT_MILLIS)).toMatchObject([{ id }]);
    for (const [learner, name] of [
      [1n, 'MemberNotFound'],
      [2n, 'MemberNotLearner'],
      [3n, 'LearnerNotReady'],
    ] as const) {
      await expect(calls.promote([url], learner, undefined, TIMEOUT_MILLIS)).rejects.toEqual(
        etcdError(name),
      );
    }
    expect(tokens).toEqual(['secret', undefined, undefined, undefined]);
  });
});

describe('questions to peers that do not answer', () => {
  it('go to the next URL', async () => {
    const urls = [await deadUrl(), await peer({})];
    expect((await calls.version(urls, TIMEOUT_MILLIS)).server).toBe('3.7.1');
  });

  it('do not go on after a refusal', async () => {
    let asked = 0;
    const refusing = async () => {
      asked++;
      throw etcdError('LeaseNotFound');
    };
    const urls = [await peer({ renewLease: refusing }), await peer({ renewLease: refusing })];
    await expect(calls.renewLease(urls, 1n, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('LeaseNotFound'),
    );
    expect(asked).toBe(1);
  });

  it('say of every URL what is wrong with it', async () => {
    const dead = await deadUrl();
    const silent = await raw(() => true);
    const error = await calls.members([dead, silent], 50).catch((reason: Error) => reason);
    expect(String(error)).toContain(`${dead}/members: connect ECONNREFUSED`);
    expect(String(error)).toContain(`${silent}/members: no answer within 50ms`);
    await expect(calls.members([], 50)).rejects.toThrow('there is no peer URL to ask');
  });

  it('end when the member does', async () => {
    const mine = new HttpPeerCalls({ clock: nodeClock, requestOptions: plainRequestOptions });
    let arrived = () => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const silent = await raw(() => {
      arrived();
      return true;
    });
    const answer = mine.version([silent], TIMEOUT_MILLIS).catch((reason: Error) => reason);
    await arrival;
    await mine.close();
    expect(String(await answer)).toContain('the member is stopping');
    await expect(mine.version([silent], TIMEOUT_MILLIS)).rejects.toThrow('the member is stopping');
  });

  it.each([
    ['members', '{', {}],
    ['members', '{}', { 'X-Etcd-Cluster-ID': '1' }],
    ['members', '[{"name":"no id"}]', { 'X-Etcd-Cluster-ID': '1' }],
    ['members', '[{"id":18446744073709551616}]', { 'X-Etcd-Cluster-ID': '1' }],
    ['members', '[]', { 'X-Etcd-Cluster-ID': 'x' }],
    ['version', 'null', {}],
    ['downgradeEnabled', 'true\n', {}],
  ] as const)('fail for a strange answer: %s %j', async (call, body, headers) => {
    const url = await raw((_request, response) => {
      response.writeHead(200, headers).end(body);
      return true;
    });
    await expect(calls[call]([url], TIMEOUT_MILLIS)).rejects.toThrow(url);
  });

  it('fail for answers that are cut off, endless, or for another lease', async () => {
    const cut = await raw((_request, response) => {
      response.writeHead(200, { 'Content-Length': 10 });
      response.write('12345', () => response.destroy());
      return true;
    });
    await expect(calls.version([cut], TIMEOUT_MILLIS)).rejects.toThrow('aborted');
    const endless = await raw((_request, response) => {
      response.writeHead(200).end(Buffer.alloc(2 * 1024 * 1024, ' '));
      return true;
    });
    await expect(calls.version([endless], TIMEOUT_MILLIS)).rejects.toThrow(
      'the answer is longer than 1048576 bytes',
    );
    const other = await raw((_request, response) => {
      response.writeHead(200).end();
      return true;
    });
    await expect(calls.renewLease([other], 5n, TIMEOUT_MILLIS)).rejects.toThrow(
      'renew id mismatch',
    );
  });

  it('are asked again if the peer closed a connection that had been kept', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const mine = new HttpPeerCalls({
      clock: nodeClock,
      requestOptions: (peerUrl) => ({ ...plainRequestOptions(peerUrl), agent }),
    });
    let asked = 0;
    const answer = createPeerEndpoints({
      source: peerSource(),
      clock: nodeClock,
      logger: silentLogger,
    });
    const url = await raw((request, response) => {
      asked++;
      if (asked !== 2) return answer(request, response);
      response.socket?.resetAndDestroy();
      return true;
    });
    await mine.version([url], TIMEOUT_MILLIS);
    expect((await mine.version([url], TIMEOUT_MILLIS)).server).toBe('3.7.1');
    expect(asked).toBe(3);
    await mine.close();
    agent.destroy();
  });

  it('take a 3.4 as one that is on no way down', async () => {
    const url = await raw(() => false);
    expect(await calls.downgradeEnabled([url], TIMEOUT_MILLIS)).toBe(false);
  });
});

describe.skipIf(!hasRealEtcd)('questions to a real etcd', () => {
  let etcd: RealEtcd;
  let url: string;
  beforeAll(async () => {
    // Trap: without it a 3.4 closes the connection instead of refusing a hash.
    etcd = await startRealEtcd({ flags: ['--logger=zap'] });
    url = `http://127.0.0.1:${etcd.ports.peer}`;
  });
  afterAll(() => etcd?.stop());

  it('bring back its members and version', async () => {
    const { clusterId, members } = await calls.members([url], TIMEOUT_MILLIS);
    const status = JSON.parse(etcd.ctl(['member', 'list', '-w', 'json']).toString());
    expect(clusterId.toString().slice(0, 15)).toBe(String(status.header.cluster_id).slice(0, 15));
    expect(etcd.ctl(['member', 'list']).toString()).toContain(members[0]?.id.toString(16));
    expect(members).toMatchObject([
      { name: 'real', peerUrls: [url], clientUrls: [`http://${etcd.endpoint}`], isLearner: false },
    ]);
    expect(await calls.version([url], TIMEOUT_MILLIS)).toEqual({
      server: '3.4.23',
      cluster: '3.4.0',
      storage: '',
    });
    expect(await calls.downgradeEnabled([url], TIMEOUT_MILLIS)).toBe(false);
  });

  it('bring back its hashes and refusals', async () => {
    for (const value of ['1', '2', '3']) etcd.ctl(['put', 'hashed', value]);
    const all = await calls.hashKeyValues([url], 0, TIMEOUT_MILLIS);
    expect(all.revision).toBeGreaterThan(3);
    expect(all.hash).toBeGreaterThan(0);
    expect(all.hashRevision).toBeUndefined();
    const [told] = JSON.parse(etcd.ctl(['endpoint', 'hashkv', '-w', 'json']).toString());
    expect(all.hash).toBe(told.HashKV.hash);
    etcd.ctl(['compaction', String(all.revision)]);
    await expect(calls.hashKeyValues([url], 2, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('Compacted'),
    );
    await expect(calls.hashKeyValues([url], 100_000, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('FutureRev'),
    );
  });

  it('renew its leases', async () => {
    const id = BigInt(
      `0x${/lease (\w+) granted/.exec(etcd.ctl(['lease', 'grant', '600']).toString())?.[1]}`,
    );
    etcd.ctl(['put', 'leased', 'x', `--lease=${id.toString(16)}`]);
    expect(await calls.renewLease([url], id, TIMEOUT_MILLIS)).toBe(600);
    const lease = await calls.leaseTimeToLive([url], id, true, TIMEOUT_MILLIS);
    expect(lease).toMatchObject({ id, grantedTtlSeconds: 600, keys: [Buffer.from('leased')] });
    expect(lease.ttlSeconds).toBeGreaterThan(590);
    await expect(calls.renewLease([url], 1n, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('LeaseNotFound'),
    );
    await expect(calls.leaseTimeToLive([url], 1n, false, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('LeaseNotFound'),
    );
  });

  it('hear why it promotes nobody', async () => {
    const { members } = await calls.members([url], TIMEOUT_MILLIS);
    const id = members[0]?.id ?? 0n;
    await expect(calls.promote([url], id, undefined, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('MemberNotLearner'),
    );
    await expect(calls.promote([url], 1n, undefined, TIMEOUT_MILLIS)).rejects.toEqual(
      etcdError('MemberNotFound'),
    );
  });
});
