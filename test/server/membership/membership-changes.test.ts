import { expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { encodeConfChange } from '../../../src/raft/confchange/codec.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import type { RawNode } from '../../../src/raft/raw-node.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { additionContext } from '../../../src/server/membership/change-context.js';
import { Cluster } from '../../../src/server/membership/cluster.js';
import { MembershipChanges } from '../../../src/server/membership-changes.js';
import { MAX_PENDING_REQUESTS, PendingRequests } from '../../../src/server/pending-requests.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';

function setUp() {
  // Of Raft, only what the changes look at.
  const node = {
    applyConfChange: () => EMPTY_CONF_STATE,
    raft: { core: { log: { applied: 0 } } },
  } as unknown as RawNode;
  const pending = new PendingRequests(nodeClock, 1000, () => new Error('timeout'));
  let nextId = 7n;
  const changes = new MembershipChanges(
    {
      cluster: new Cluster(1n, 2n, new MemoryBackend({})),
      node,
      logger: silentLogger,
      pending,
      maxLearners: 1,
      nextId: () => nextId++,
      propose: () => {},
      onChange: () => {},
    },
    EMPTY_CONF_STATE,
  );
  return { changes, pending };
}

function addition() {
  const member = { id: 3n, peerUrls: ['http://c'], isLearner: false, name: '', clientUrls: [] };
  return { type: ConfChangeType.AddNode, nodeId: 3n, context: additionContext(member) };
}

it('a change that is applied, but that Raft is not past, ends with its member', async () => {
  const { changes, pending } = setUp();
  const change = addition();
  const result = changes.propose(change);
  changes.apply({ ...encodeConfChange({ ...change, id: 7n }), term: 1, index: 5 }, false);
  changes.onApplied();
  const error = new Error('stopped');
  pending.close(error);
  changes.close(error);
  await expect(result).rejects.toBe(error);
});

it('changes that wait are bounded, together with all other requests', async () => {
  const { changes, pending } = setUp();
  const change = addition();
  const waiting = Array.from({ length: MAX_PENDING_REQUESTS }, () => changes.propose(change));
  await expect(changes.propose(change)).rejects.toThrow('etcdserver: too many requests');
  pending.close(new Error('stopped'));
  const ends = await Promise.allSettled(waiting);
  expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
});
