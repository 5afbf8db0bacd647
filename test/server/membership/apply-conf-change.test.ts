import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isEtcdError } from '../../../src/proto/errors.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import { applyMembershipChange } from '../../../src/server/membership/apply-conf-change.js';
import {
  additionContext,
  promotionContext,
  updateContext,
} from '../../../src/server/membership/change-context.js';
import type { Cluster } from '../../../src/server/membership/cluster.js';
import type { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { changeEntry, clusterOf, member, unstarted } from './support.js';

const { AddNode, AddLearnerNode, RemoveNode, UpdateNode } = ConfChangeType;

describe('a committed change of the membership', () => {
  let cluster: Cluster;
  let backend: MemoryBackend;

  beforeEach(() => {
    const members = [member(1n, { isLearner: true }), member(2n), member(3n), member(4n)];
    ({ cluster, backend } = clusterOf(members));
    cluster.remove(4n);
  });
  afterEach(() => backend.crash());

  /** The name of the refusal; what Raft gets is checked too. */
  const outcome = (entry: ReturnType<typeof changeEntry>, maxLearners = 1): string => {
    const { change, refusal } = applyMembershipChange(cluster, entry, maxLearners);
    const nodeId = 'nodeId' in change ? change.nodeId : undefined;
    expect(nodeId === 0n).toBe(refusal !== undefined);
    return refusal?.reason ?? 'ok';
  };
  const add = (id: bigint, url = `http://${id}`) =>
    changeEntry(AddNode, id, additionContext(unstarted(id, { peerUrls: [url] })));
  const addLearner = (id: bigint) =>
    changeEntry(AddLearnerNode, id, additionContext(unstarted(id, { isLearner: true })));
  const promote = (id: bigint) => changeEntry(AddNode, id, promotionContext(id));
  const update = (id: bigint, ...urls: string[]) =>
    changeEntry(
      UpdateNode,
      id,
      updateContext({ id, isLearner: cluster.member(id)?.isLearner ?? false }, urls),
    );

  // Reference: semantics 13, N2.
  it.each([
    ['adding a removed id', () => add(4n), 'MemberNotFound'],
    ['updating a removed id', () => update(4n, 'http://x'), 'MemberNotFound'],
    ['adding a known id', () => add(1n), 'MemberExist'],
    ['adding a learner whose id is known', () => addLearner(2n), 'MemberExist'],
    ['adding with the URL of another', () => add(5n, 'http://1'), 'PeerURLExist'],
    ['removing an unknown id', () => changeEntry(RemoveNode, 5n), 'MemberNotFound'],
    ['updating an unknown id', () => update(5n, 'http://x'), 'MemberNotFound'],
    ['updating to the URL of another', () => update(2n, 'http://3'), 'PeerURLExist'],
    [
      'updating to one new URL and one of another',
      () => update(2n, 'a', 'http://3'),
      'PeerURLExist',
    ],
    ['promoting a voter', () => promote(3n), 'MemberNotLearner'],
    ['promoting an unknown id', () => promote(6n), 'MemberNotFound'],
    ['adding a learner too many', () => addLearner(7n), 'TooManyLearners'],
  ])('refuses %s', (_, entry, refusal) => {
    const before = cluster.members();
    expect(outcome(entry())).toBe(refusal);
    expect(cluster.members()).toEqual(before);
  });

  it('adds a voter and a learner, as many as are allowed', () => {
    expect(outcome(add(5n))).toBe('ok');
    expect(outcome(addLearner(7n), 2)).toBe('ok');
    expect(outcome(addLearner(8n), 2)).toBe('TooManyLearners');
    expect(cluster.member(5n)).toEqual(unstarted(5n));
    expect(cluster.member(7n)).toEqual(unstarted(7n, { isLearner: true }));
    cluster.restore();
    expect(cluster.member(7n)?.isLearner).toBe(true);
  });

  it('promotes a learner and keeps all else of it', () => {
    expect(outcome(promote(1n))).toBe('ok');
    expect(cluster.member(1n)).toEqual(member(1n));
    expect(outcome(addLearner(7n))).toBe('ok');
  });

  it('changes nothing but the peer URLs with an update, of a learner too', () => {
    expect(outcome(update(1n, 'http://1', 'http://y'))).toBe('ok');
    const expected = member(1n, { isLearner: true, peerUrls: ['http://1', 'http://y'] });
    expect(cluster.member(1n)).toEqual(expected);
  });

  it('forgets with etcd that a learner is one, if the update does not say so', () => {
    const context = Buffer.from('{"id":1,"peerURLs":["http://x"]}');
    expect(outcome(changeEntry(UpdateNode, 1n, context))).toBe('ok');
    expect(cluster.member(1n)).toEqual(member(1n, { peerUrls: ['http://x'] }));
    expect(outcome(promote(1n))).toBe('MemberNotLearner');
  });

  it('takes a removed member away for good', () => {
    expect(outcome(changeEntry(RemoveNode, 3n))).toBe('ok');
    expect(cluster.member(3n)).toBeUndefined();
    expect(outcome(changeEntry(RemoveNode, 3n))).toBe('MemberNotFound');
    cluster.restore();
    expect(cluster.isRemoved(3n)).toBe(true);
  });

  it('refuses with the errors that clients see', () => {
    const { refusal } = applyMembershipChange(cluster, add(1n), 1);
    expect(isEtcdError(refusal, 'MemberExist')).toBe(true);
  });
});

describe('what a change carries', () => {
  it('is what etcd writes', () => {
    expect(additionContext(unstarted(7n)).toString()).toBe('{"id":7,"peerURLs":["http://7"]}');
    expect(additionContext(unstarted(7n, { isLearner: true })).toString()).toBe(
      '{"id":7,"peerURLs":["http://7"],"isLearner":true}',
    );
    expect(promotionContext(7n).toString()).toBe('{"id":7,"peerURLs":null,"isPromote":true}');
    expect(updateContext(member(7n), ['b', 'a']).toString()).toBe('{"id":7,"peerURLs":["b","a"]}');
    expect(updateContext(member(7n), []).toString()).toBe('{"id":7,"peerURLs":null}');
    const learner = member(7n, { isLearner: true });
    expect(updateContext(learner, ['a']).toString()).toBe(
      '{"id":7,"peerURLs":["a"],"isLearner":true}',
    );
    expect(updateContext(learner, []).toString()).toBe('{"id":7,"peerURLs":null,"isLearner":true}');
  });
});
