import { isIP } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import type { BootstrapOptions } from '../../../src/server/bootstrap/bootstrap-options.js';
import type { HostResolver } from '../../../src/server/bootstrap/host-resolver.js';
import { type InitialCluster, planCluster } from '../../../src/server/bootstrap/new-member.js';
import { planMember } from '../../../src/server/bootstrap/plan-member.js';
import type { Member } from '../../../src/server/membership/member.js';
import { HttpPeerCalls } from '../../../src/server/peer/http-peer-calls.js';
import {
  createPeerEndpoints,
  type PeerEndpointSource,
} from '../../../src/server/peer/peer-endpoints.js';
import { serveHttp, type TestHttpServer } from '../../support/http-server.js';
import { freePort } from '../../support/loopback.js';
import { peerSource, plainRequestOptions } from '../../support/peer-source.js';
import { hasRealEtcd, startRealEtcd } from '../../support/real-etcd.js';

const servers: TestHttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function peer(answers: Partial<PeerEndpointSource> = {}): Promise<string> {
  const server = await serveHttp(
    createPeerEndpoints({ source: peerSource(answers), clock: nodeClock, logger: silentLogger }),
  );
  servers.push(server);
  return server.url;
}

const noDns: HostResolver = {
  address: async (host) => {
    if (isIP(host) !== 0) return host;
    throw new Error(`lookup ${host}: no such host`);
  },
  services: async () => {
    throw new Error('no such host');
  },
};

function bootstrap(changed: Partial<BootstrapOptions> = {}): BootstrapOptions {
  return {
    clock: nodeClock,
    logger: silentLogger,
    calls: new HttpPeerCalls({ clock: nodeClock, requestOptions: plainRequestOptions }),
    resolver: noDns,
    version: '3.7.1',
    maxLearners: 1,
    requestTimeoutMillis: 5000,
    ...changed,
  };
}

function cluster(
  peerUrls: Readonly<Record<string, readonly string[]>>,
  changed: Partial<InitialCluster> = {},
): InitialCluster {
  return {
    name: 'one',
    peerUrls: new Map(Object.entries(peerUrls)),
    advertisedPeerUrls: peerUrls.one ?? [],
    token: 'etcd-cluster',
    state: 'new',
    ...changed,
  };
}

const member = (id: bigint, peerUrls: readonly string[], changed: Partial<Member> = {}): Member => {
  return { id, peerUrls, isLearner: false, name: '', clientUrls: [], ...changed };
};

/** A clock on which every pause is over at once. */
function hurriedClock() {
  let now = 0;
  return {
    ...nodeClock,
    monotonicMillis: () => now,
    setTimer: (millis: number, callback: () => void) => {
      now += millis;
      queueMicrotask(callback);
      return { cancel: () => {} };
    },
  };
}

describe('a member of a new cluster', () => {
  const threeUrls = {
    one: ['http://127.0.0.1:12380'],
    two: ['http://127.0.0.1:22380'],
    three: ['http://127.0.0.1:32380'],
  };

  it('begins with all members, by ascending id, in the bytes of etcd', async () => {
    const calls = {
      ...bootstrap().calls,
      members: async () => {
        throw new Error('nobody is there yet');
      },
    };
    const plan = await planMember(cluster(threeUrls), bootstrap({ calls }));
    expect(plan).toMatchObject({
      memberId: 0xddd67b312462fd7bn,
      clusterId: 0x73841b4a9097c907n,
      remotes: [],
    });
    expect(plan.peers.map(({ context }) => context.toString())).toEqual([
      '{"id":443629905751424238,"peerURLs":["http://127.0.0.1:32380"],"name":"three"}',
      '{"id":11417610130673999598,"peerURLs":["http://127.0.0.1:22380"],"name":"two"}',
      '{"id":15985099378392235387,"peerURLs":["http://127.0.0.1:12380"],"name":"one"}',
    ]);
  });

  it('asks nobody if it is alone', async () => {
    const plan = await planMember(
      cluster({ one: ['http://localhost:2380'] }),
      bootstrap({ calls: {} as BootstrapOptions['calls'] }),
    );
    expect(plan.memberId).toBe(0x8e9e05c52164694dn);
  });

  it('does not begin again if the others know that it has run', async () => {
    const own = 'http://127.0.0.1:1';
    let clientUrls: readonly string[] = [];
    const other = await peer({ members: () => [member(ownId, [own], { clientUrls })] });
    const initial = cluster({ one: [own], two: [other] });
    const ownId = planCluster(initial).memberId;
    expect((await planMember(initial, bootstrap())).memberId).toBe(ownId);
    clientUrls = ['http://127.0.0.1:2379'];
    await expect(planMember(initial, bootstrap())).rejects.toThrow(
      `member ${ownId.toString(16)} has already been bootstrapped`,
    );
  });

  it('waits no longer than a second for each other', async () => {
    const waits: number[] = [];
    const calls = {
      ...bootstrap().calls,
      members: async (_urls: readonly string[], millis: number) => {
        waits.push(millis);
        throw new Error('no answer');
      },
    };
    await planMember(cluster(threeUrls), bootstrap({ calls }));
    expect(waits).toEqual([1000, 1000]);
  });

  it.each([
    [{ two: ['http://a:1'] }, {}, `couldn't find local name "one" in the initial cluster`],
    [
      { one: ['http://127.0.0.1:1'], two: ['http://127.0.0.1:1'] },
      {},
      'initial cluster one=http://127.0.0.1:1,two=http://127.0.0.1:1 has duplicate url',
    ],
    [
      { one: ['http://127.0.0.1:1'] },
      { advertisedPeerUrls: ['http://127.0.0.1:2'] },
      '--initial-cluster has one=http://127.0.0.1:1 but missing from --initial-advertise-peer-urls=http://127.0.0.1:2 ("http://127.0.0.1:2"(resolved from "http://127.0.0.1:2") != "http://127.0.0.1:1"(resolved from "http://127.0.0.1:1"))',
    ],
    [
      { one: ['http://127.0.0.1:1'] },
      { advertisedPeerUrls: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] },
      '--initial-advertise-peer-urls has http://127.0.0.1:2 but missing from --initial-cluster=one=http://127.0.0.1:1,one=http://127.0.0.1:2',
    ],
  ] as const)('refuses %j with %j', async (urls, changed, message) => {
    await expect(
      planMember(
        cluster(urls as unknown as Record<string, readonly string[]>, changed),
        bootstrap(),
      ),
    ).rejects.toThrow(message);
  });

  it('takes URLs for the same that resolve to the same', async () => {
    const initial = cluster(
      { one: ['http://one.example:2380'] },
      { advertisedPeerUrls: ['http://10.0.0.1:2380'] },
    );
    const resolver = { ...noDns, address: async () => '10.0.0.1' };
    const plan = await planMember(initial, bootstrap({ resolver }));
    expect(plan.peers[0]?.peerUrls).toEqual(['http://one.example:2380']);
    let tries = 0;
    const slow = {
      ...noDns,
      address: async (host: string) => {
        if (host === '10.0.0.1' || ++tries > 3) return '10.0.0.1';
        throw new Error('no such host');
      },
    };
    await planMember(initial, bootstrap({ resolver: slow, clock: hurriedClock() }));
    expect(tries).toBe(4);
  });

  it('gives a host up that is unknown for 30 s', async () => {
    const initial = cluster(
      { one: ['http://one.example:2380'] },
      { advertisedPeerUrls: ['http://10.0.0.1:2380'] },
    );
    await expect(planMember(initial, bootstrap({ clock: hurriedClock() }))).rejects.toThrow(
      '(lookup one.example: no such host)',
    );
  });
});

describe('a member that joins a running cluster', () => {
  const own = 'http://127.0.0.1:1';
  const ownId = 0x1234567890abcdefn;

  /** A running cluster of one that has added this member. */
  async function running(
    answers: Partial<PeerEndpointSource> = {},
    added: readonly Member[] = [member(ownId, [own])],
  ): Promise<InitialCluster> {
    const url: string = await peer({
      members: () => [member(5n, [url], { name: 'a', clientUrls: ['http://c:1'] }), ...added],
      ...answers,
    });
    return cluster({ one: [own], two: [url] }, { state: 'existing' });
  }

  it('takes its id, that of the cluster, and the members from there', async () => {
    const initial = await running();
    const plan = await planMember(initial, bootstrap());
    expect(plan).toMatchObject({ memberId: ownId, clusterId: 0xcdf818194e3a8c32n, peers: [] });
    expect(plan.remotes.map(({ id }) => id)).toEqual([5n, ownId]);
  });

  it('finds itself by the addresses of its URLs, too', async () => {
    const initial = await running({}, [member(ownId, ['http://one.example:1'])]);
    const resolver = {
      ...noDns,
      address: async (host: string) => (host === 'one.example' ? '127.0.0.1' : host),
    };
    expect((await planMember(initial, bootstrap({ resolver }))).memberId).toBe(ownId);
  });

  it('asks the URLs in their order until one answers', async () => {
    const initial = await running();
    const dead = `http://127.0.0.1:${await freePort()}`;
    const [url = ''] = initial.peerUrls.get('two') ?? [];
    const waits: (readonly [string | undefined, number])[] = [];
    const calls = bootstrap().calls;
    const { memberId } = await planMember(
      cluster({ one: [own], two: [url], three: [dead] }, { state: 'existing' }),
      bootstrap({
        calls: {
          version: (...asked) => calls.version(...asked),
          downgradeEnabled: (...asked) => calls.downgradeEnabled(...asked),
          members: async ([asked], millis) => {
            waits.push([asked, millis]);
            if (asked === dead) throw new Error('dead');
            const answer = await calls.members([url], millis);
            return { ...answer, members: [...answer.members, member(9n, [dead])] };
          },
        },
      }),
    );
    expect(memberId).toBe(ownId);
    const order = [dead, url].sort();
    expect(waits).toEqual(order.slice(0, order.indexOf(url) + 1).map((asked) => [asked, 10_000]));
  });

  it.each([
    [[], 'member count is unequal'],
    [
      [member(7n, ['http://127.0.0.1:9'])],
      'PeerURLs: no match found for existing member (7, [http://127.0.0.1:9]), last resolver error (',
    ],
  ])('refuses a cluster of others: %#', async (added, message) => {
    const error = await planMember(await running({}, added), bootstrap()).catch(
      (reason: Error) => reason,
    );
    expect(String(error)).toContain(
      'error validating peerURLs {ClusterID:cdf818194e3a8c32 Members:[&{ID:5 RaftAttributes:{PeerURLs:[http://',
    );
    expect(String(error)).toContain(message);
  });

  it('needs a member that answers, and one that knows members', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    await expect(
      planMember(cluster({ one: [own], two: [dead] }, { state: 'existing' }), bootstrap()),
    ).rejects.toThrow(
      'cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs',
    );
    await expect(planMember(await running({ members: () => [] }), bootstrap())).rejects.toThrow(
      'failed to get raft cluster member(s) from the given URLs',
    );
  });

  it.each([
    ['3.0.0', false, true],
    ['3.4.0', false, true],
    ['3.7.0', false, true],
    ['3.7.0', true, false],
    ['3.8.0', false, false],
    ['3.8.0', true, true],
    ['3.9.0', true, false],
    ['4.0.0', false, false],
    ['2.3.0', false, false],
    [undefined, false, false],
  ])(
    'serves a cluster of %s, on its way down: %s: %s',
    async (version, isDowngrading, isServed) => {
      const initial = await running({
        versions: {
          serverVersion: '3.7.1',
          clusterVersion: () => version,
          storageVersion: () => undefined,
        },
        isDowngrading: () => isDowngrading,
      });
      const plan = planMember(initial, bootstrap());
      if (isServed) expect((await plan).memberId).toBe(ownId);
      else await expect(plan).rejects.toThrow('incompatible with current running cluster');
    },
  );

  it('does not join where there are too many learners', async () => {
    const initial = await running({}, [member(ownId, [own], { isLearner: true })]);
    expect((await planMember(initial, bootstrap())).memberId).toBe(ownId);
    await expect(planMember(initial, bootstrap({ maxLearners: 0 }))).rejects.toThrow(
      'membership: too many learner members in cluster',
    );
  });

  it.skipIf(!hasRealEtcd)('joins a real etcd that has added it', async () => {
    const etcd = await startRealEtcd();
    try {
      const url = `http://127.0.0.1:${etcd.ports.peer}`;
      const added = etcd.ctl(['member', 'add', 'one', `--peer-urls=${own}`]).toString();
      const [, id, clusterId] = /Member\s+(\w+) added to cluster\s+(\w+)/.exec(added) ?? [];
      const plan = await planMember(
        cluster({ one: [own], real: [url] }, { state: 'existing' }),
        bootstrap(),
      );
      expect(plan.memberId.toString(16)).toBe(id);
      expect(plan.clusterId.toString(16)).toBe(clusterId);
      expect(plan.remotes).toHaveLength(2);
    } finally {
      await etcd.stop();
    }
  });
});
