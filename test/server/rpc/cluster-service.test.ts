import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVICES } from '../../../src/proto/services.js';
import { startEtcd, type TestEtcd } from '../../../src/testing.js';
import { failureOf, GrpcClient } from '../../support/grpc-client.js';

const { cluster, maintenance } = SERVICES;
/** What a member advertises unless told otherwise. */
const OWN_PEER_URL = 'http://localhost:2380';

/** Codes and texts are those of reference, api 7 and 15. */
describe('the cluster service of a member that is alone', () => {
  let etcd: TestEtcd;
  let grpc: GrpcClient;
  let own: bigint;

  beforeAll(async () => {
    etcd = await startEtcd();
    grpc = new GrpcClient(etcd.endpoint);
    own = (await grpc.unary(cluster.memberList, {})).members[0]?.ID ?? 0n;
  });
  afterAll(async () => {
    grpc?.close();
    await etcd?.stop();
  });

  it.each([true, false])('lists the members, linearizable: %s', async (linearizable) => {
    const { header, members } = await grpc.unary(cluster.memberList, { linearizable });
    expect(members).toEqual([
      {
        ID: own,
        name: 'default',
        peerURLs: [OWN_PEER_URL],
        clientURLs: [etcd.url],
        isLearner: false,
      },
    ]);
    expect(header).toMatchObject({ memberId: own, revision: 0 });
    expect(header?.raftTerm).toBeGreaterThan(1);
  });

  const BAD_URLS = { code: 3, message: 'etcdserver: given member URLs are invalid' };
  const NOT_FOUND = { code: 5, message: 'etcdserver: member not found' };
  const URL_EXISTS = { code: 9, message: 'etcdserver: Peer URLs already exists' };

  it.each([[[]], [['']], [['x']], [['http://x']], [['http://x:1/path']], [['http://x:1', 'y']]])(
    'refuses to add a member with the URLs %j',
    async (peerURLs) => {
      expect(await failureOf(grpc.unary(cluster.memberAdd, { peerURLs }))).toEqual(BAD_URLS);
    },
  );

  it('refuses to add its own URL, with a blank around it too', async () => {
    for (const url of [OWN_PEER_URL, ` ${OWN_PEER_URL} `]) {
      const peerURLs = ['http://x:1', url];
      expect(await failureOf(grpc.unary(cluster.memberAdd, { peerURLs }))).toEqual(URL_EXISTS);
      const learner = { peerURLs, isLearner: true };
      expect(await failureOf(grpc.unary(cluster.memberAdd, learner))).toEqual(URL_EXISTS);
    }
  });

  it('refuses what concerns nobody', async () => {
    const update = { ID: 5n, peerURLs: ['anything'] };
    expect(await failureOf(grpc.unary(cluster.memberRemove, { ID: 5n }))).toEqual(NOT_FOUND);
    expect(await failureOf(grpc.unary(cluster.memberUpdate, update))).toEqual(NOT_FOUND);
    expect(await failureOf(grpc.unary(cluster.memberPromote, { ID: 5n }))).toEqual(NOT_FOUND);
  });

  it('refuses to remove and to promote itself', async () => {
    expect(await failureOf(grpc.unary(cluster.memberRemove, { ID: own }))).toEqual({
      // Trap: Unknown, whatever the table of errors says.
      code: 2,
      message: 'etcdserver: re-configuration failed due to not enough started members',
    });
    expect(await failureOf(grpc.unary(cluster.memberPromote, { ID: own }))).toEqual({
      code: 9,
      message: 'etcdserver: can only promote a learner member',
    });
  });

  it('changes its own peer URLs, as they come', async () => {
    const peerURLs = ['http://localhost:2', 'http://localhost:1'];
    const { header, members } = await grpc.unary(cluster.memberUpdate, { ID: own, peerURLs });
    expect(header).toMatchObject({ memberId: own, revision: 0 });
    expect(members.map((member) => member.peerURLs)).toEqual([peerURLs]);
    await grpc.unary(cluster.memberUpdate, { ID: own, peerURLs: [OWN_PEER_URL] });
    const listed = await grpc.unary(cluster.memberList, {});
    expect(listed.members[0]?.peerURLs).toEqual([OWN_PEER_URL]);
    expect(listed.members[0]?.name).toBe('default');
  });

  it('hands its leadership to itself alone', async () => {
    const answer = await grpc.unary(maintenance.moveLeader, { targetID: own });
    expect(answer.header).toBeUndefined();
    expect(await failureOf(grpc.unary(maintenance.moveLeader, { targetID: 5n }))).toEqual({
      code: 9,
      message: 'etcdserver: bad leader transferee',
    });
  });
});
