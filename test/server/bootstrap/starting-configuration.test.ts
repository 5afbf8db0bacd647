import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { ConfChangeType } from '../../../src/raft/confchange/conf-change.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { decodeConfState, encodeConfState } from '../../../src/server/apply/conf-state-json.js';
import { startingConfiguration } from '../../../src/server/bootstrap/starting-configuration.js';
import { additionContext } from '../../../src/server/membership/change-context.js';
import { newDisks, openInMemory } from '../../support/in-memory-member.js';
import { lonelyTransport } from '../../support/lonely-peers.js';
import { clusterOf, member } from '../membership/support.js';

const BIG = 2n ** 64n - 1n;

describe('the configuration after a restart', () => {
  const { cluster } = clusterOf([member(1n), member(2n), member(BIG, { isLearner: true })]);
  const byRows = { ...EMPTY_CONF_STATE, voters: [1n, 2n], learners: [BIG] };

  it('is that of the members if none is stored', () => {
    expect(startingConfiguration(cluster, undefined, silentLogger)).toEqual(byRows);
    expect(startingConfiguration(cluster, 'nonsense', silentLogger)).toEqual(byRows);
  });

  it('is the stored one, which knows that a learner whose row lost that has no vote', () => {
    const applied = { ...EMPTY_CONF_STATE, voters: [1n], learners: [2n, BIG] };
    const stored = encodeConfState(applied);
    expect(startingConfiguration(cluster, stored, silentLogger)).toEqual(applied);
  });

  it('is that of the members if the stored one has others', () => {
    const stored = encodeConfState({ ...EMPTY_CONF_STATE, voters: [1n, 2n, 3n] });
    expect(startingConfiguration(cluster, stored, silentLogger)).toEqual(byRows);
  });

  it('does not let a learner vote whose row says that it does', async () => {
    const disks = newDisks();
    const transport = { createTransport: () => ({ ...lonelyTransport(), send: () => {} }) };
    const first = await openInMemory(disks, {}, transport);
    first.member.start();
    await first.member.whenLeader();
    const learner = member(7n, { isLearner: true });
    await first.member.changeMembership({
      type: ConfChangeType.AddLearnerNode,
      nodeId: learner.id,
      context: additionContext(learner),
    });
    // As an etcd does to a learner whose URLs it changes.
    first.member.cluster.put(member(7n));
    await first.member.stop();
    const second = await openInMemory(disks, {}, transport);
    second.member.start();
    // With two voters there would be no leader.
    await second.member.whenLeader();
    expect(second.member.isLeader).toBe(true);
    await second.member.linearizableRead();
    await second.member.stop();
  });

  it('keeps all digits, and reads the forms of all releases', () => {
    const state = { ...EMPTY_CONF_STATE, voters: [1n, BIG], votersOutgoing: [2n], autoLeave: true };
    expect(decodeConfState(encodeConfState(state))).toEqual(state);
    expect(decodeConfState('{"voters":[10276657743932975437],"auto_leave":false}')).toEqual({
      ...EMPTY_CONF_STATE,
      voters: [10276657743932975437n],
    });
    expect(decodeConfState('null')).toBeUndefined();
  });
});
