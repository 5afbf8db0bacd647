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
import { PendingRequests } from '../../../src/server/pending-requests.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';

it('a change that is applied, but that Raft is not past, ends with its member', async () => {
  // Of Raft, only what the changes look at.
  const node = {
    applyConfChange: () => EMPTY_CONF_STATE,
    raft: { core: { log: { applied: 0 } } },
  } as unknown as RawNode;
  const pending = new PendingRequests(nodeClock, 1000, () => new Error('timeout'));
  const changes = new MembershipChanges(
    {
      cluster: new Cluster(1n, 2n, new MemoryBackend({})),
      node,
      logger: silentLogger,
      pending,
      maxLearners: 1,
      nextId: () => 7n,
      propose: () => {},
      onChange: () => {},
    },
    EMPTY_CONF_STATE,
  );
  const member = { id: 3n, peerUrls: ['http://c'], isLearner: false, name: '', clientUrls: [] };
  const change = { type: ConfChangeType.AddNode, nodeId: 3n, context: additionContext(member) };
  const result = changes.propose(change);
  changes.apply({ ...encodeConfChange({ ...change, id: 7n }), term: 1, index: 5 }, false);
  changes.onApplied();
  const error = new Error('stopped');
  pending.close(error);
  changes.close(error);
  await expect(result).rejects.toBe(error);
});
