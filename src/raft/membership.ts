import { type ChangedConfig, ConfChanger } from './confchange/changer.js';
import {
  type AnyConfChange,
  asConfChangeV2,
  entersJoint,
  leavesJoint,
} from './confchange/conf-change.js';
import { restoreTracker } from './confchange/restore.js';
import type { RaftCore } from './core.js';
import { broadcastAppend, broadcastMissingEntries, maybeCommit } from './replication.js';
import { configText } from './tracker/tracker.js';
import { type ConfState, idText, NONE, Role } from './types.js';

/**
 * Switches to the configuration that a committed change leads to.
 * @throws {ConfChangeError} if the present configuration does not allow it.
 */
export function applyConfChange(core: RaftCore, change: AnyConfChange): ConfState {
  const changer = new ConfChanger(core.tracker, core.log.lastIndex());
  const second = asConfChangeV2(change);
  const joint = entersJoint(second);
  let changed: ChangedConfig;
  if (leavesJoint(second)) changed = changer.leaveJoint();
  else if (joint !== undefined) changed = changer.enterJoint(joint.autoLeave, second.changes);
  else changed = changer.simple(second.changes);
  core.tracker.switchTo(changed.config, changed.progress);
  return configurationSwitched(core);
}

/** Starts over in a configuration that storage or a snapshot recorded. */
export function restoreConfiguration(core: RaftCore, confState: ConfState): void {
  core.tracker = restoreTracker(
    confState,
    core.log.lastIndex(),
    core.config.maxInflightMessages,
    core.config.maxInflightBytes,
  );
  configurationSwitched(core);
}

function configurationSwitched(core: RaftCore): ConfState {
  const { config } = core.tracker;
  core.logger.info(`${idText(core.id)} switched to configuration ${configText(config)}`);
  const confState = core.tracker.confState();
  if (core.role !== Role.Leader) return confState;
  const own = core.tracker.get(core.id);
  if (own === undefined || own.isLearner) {
    // Otherwise the leader stays, uncounted, until it is deposed or stopped.
    if (core.config.stepDownOnRemoval) core.becomeFollower(core.term, NONE);
    return confState;
  }
  if (confState.voters.length === 0) return confState;
  // Fewer voters may need fewer acknowledgements; new ones have to be probed.
  if (maybeCommit(core)) broadcastAppend(core);
  else broadcastMissingEntries(core);
  if (core.leadTransferee !== NONE && !config.voters.has(core.leadTransferee)) {
    core.abortLeaderTransfer();
  }
  return confState;
}
