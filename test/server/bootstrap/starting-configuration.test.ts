import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { decodeConfState, encodeConfState } from '../../../src/server/apply/conf-state-json.js';
import { startingConfiguration } from '../../../src/server/bootstrap/starting-configuration.js';
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
