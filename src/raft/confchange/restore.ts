import { RaftInvariantError } from '../errors.js';
import { ProgressTracker } from '../tracker/tracker.js';
import type { ConfState } from '../types.js';
import { type ChangedConfig, ConfChanger } from './changer.js';
import { type ConfChangeSingle, ConfChangeType } from './conf-change.js';

function steps(type: ConfChangeType, ids: readonly bigint[]): ConfChangeSingle[] {
  return ids.map((nodeId) => ({ type, nodeId }));
}

/**
 * A fresh tracker in the configuration that a snapshot or storage recorded, reached by the same
 * changes that are used at run time.
 * @param lastIndex last index of the log.
 * @throws {ConfChangeError} if no such changes lead there.
 */
export function restoreTracker(
  confState: ConfState,
  lastIndex: number,
  maxInflight: number,
  maxInflightBytes: number,
): ProgressTracker {
  const tracker = new ProgressTracker(maxInflight, maxInflightBytes);
  const adopt = (changed: ChangedConfig): void =>
    tracker.switchTo(changed.config, changed.progress);
  const simple = (step: ConfChangeSingle): void =>
    adopt(new ConfChanger(tracker, lastIndex).simple([step]));
  const incoming = [
    ...steps(ConfChangeType.AddNode, confState.voters),
    ...steps(ConfChangeType.AddLearnerNode, confState.learners),
    ...steps(ConfChangeType.AddLearnerNode, confState.learnersNext),
  ];
  if (confState.votersOutgoing.length === 0) {
    incoming.forEach(simple);
  } else {
    steps(ConfChangeType.AddNode, confState.votersOutgoing).forEach(simple);
    const changes = [...steps(ConfChangeType.RemoveNode, confState.votersOutgoing), ...incoming];
    adopt(new ConfChanger(tracker, lastIndex).enterJoint(confState.autoLeave, changes));
  }
  assertEquivalent(confState, tracker.confState());
  return tracker;
}

function assertEquivalent(stored: ConfState, restored: ConfState): void {
  const text = (state: ConfState): string =>
    [state.voters, state.learners, state.votersOutgoing, state.learnersNext]
      .map((ids) => [...ids].sort((a, b) => (a < b ? -1 : 1)).join(' '))
      .concat(String(state.autoLeave))
      .join('; ');
  if (text(stored) !== text(restored)) {
    throw new RaftInvariantError(
      `ConfStates not equivalent after sorting: ${text(stored)} and ${text(restored)}`,
    );
  }
}
