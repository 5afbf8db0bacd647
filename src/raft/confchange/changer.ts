import { ConfChangeError, RaftInvariantError } from '../errors.js';
import { JointConfig } from '../quorum/joint.js';
import { MajorityConfig } from '../quorum/majority.js';
import { Progress } from '../tracker/progress.js';
import type { ProgressMap, ProgressTracker, TrackerConfig } from '../tracker/tracker.js';
import { NONE } from '../types.js';
import { type ConfChangeSingle, ConfChangeType } from './conf-change.js';

/** A configuration to switch to, with the progress of its members. */
export interface ChangedConfig {
  readonly config: TrackerConfig;
  readonly progress: ProgressMap;
}

/** A configuration under edit: copies, so that a change that fails leaves no trace. */
interface Draft {
  incoming: MajorityConfig;
  outgoing: MajorityConfig;
  learners: MajorityConfig;
  learnersNext: MajorityConfig;
  autoLeave: boolean;
  readonly progress: Map<bigint, Progress>;
}

/**
 * Computes configurations from the tracker's present one, without touching it (reference: raft A8).
 */
export class ConfChanger {
  readonly #tracker: ProgressTracker;
  readonly #lastIndex: number;

  /** @param lastIndex last index of the log; a new member is probed from there. */
  constructor(tracker: ProgressTracker, lastIndex: number) {
    this.#tracker = tracker;
    this.#lastIndex = lastIndex;
  }

  /**
   * Changes at most one voter, and any number of learners.
   * @throws {ConfChangeError}
   */
  simple(changes: readonly ConfChangeSingle[]): ChangedConfig {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) {
      throw new ConfChangeError("can't apply simple config change in joint config");
    }
    const before = draft.incoming;
    this.#applyChanges(draft, changes);
    if (symmetricDifference(before, draft.incoming) > 1) {
      throw new ConfChangeError('more than one voter changed without entering joint config');
    }
    return finish(draft);
  }

  /**
   * Enters the joint configuration of the present voters and of those after `changes`.
   * @throws {ConfChangeError}
   */
  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): ChangedConfig {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) throw new ConfChangeError('config is already joint');
    if (draft.incoming.size === 0) {
      throw new ConfChangeError("can't make a zero-voter config joint");
    }
    draft.outgoing = draft.incoming;
    this.#applyChanges(draft, changes);
    draft.autoLeave = autoLeave;
    return finish(draft);
  }

  /**
   * Leaves the joint configuration for its incoming half.
   * @throws {ConfChangeError}
   */
  leaveJoint(): ChangedConfig {
    const draft = this.#draft();
    if (draft.outgoing.size === 0) throw new ConfChangeError("can't leave a non-joint config");
    for (const id of draft.learnersNext.ids) {
      draft.learners = draft.learners.with(id);
      const progress = draft.progress.get(id);
      if (progress !== undefined) progress.isLearner = true;
    }
    draft.learnersNext = MajorityConfig.EMPTY;
    for (const id of draft.outgoing.ids) {
      if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
    }
    draft.outgoing = MajorityConfig.EMPTY;
    draft.autoLeave = false;
    return finish(draft);
  }

  #draft(): Draft {
    const { config, progress } = this.#tracker;
    const copies = new Map<bigint, Progress>();
    for (const [id, member] of progress) copies.set(id, member.clone());
    const draft: Draft = {
      incoming: config.voters.incoming,
      outgoing: config.voters.outgoing,
      learners: config.learners,
      learnersNext: config.learnersNext,
      autoLeave: config.autoLeave,
      progress: copies,
    };
    checkInvariants(draft);
    return draft;
  }

  #applyChanges(draft: Draft, changes: readonly ConfChangeSingle[]): void {
    for (const { type, nodeId } of changes) {
      // etcd zeroes the id of a change that it rejects at apply time.
      if (nodeId === NONE) continue;
      if (type === ConfChangeType.AddNode) this.#makeVoter(draft, nodeId);
      else if (type === ConfChangeType.AddLearnerNode) this.#makeLearner(draft, nodeId);
      else if (type === ConfChangeType.RemoveNode) remove(draft, nodeId);
      else if (type !== ConfChangeType.UpdateNode) {
        throw new ConfChangeError(`unexpected conf type ${String(type)}`);
      }
    }
    if (draft.incoming.size === 0) throw new ConfChangeError('removed all voters');
  }

  #makeVoter(draft: Draft, id: bigint): void {
    const progress = draft.progress.get(id);
    draft.incoming = draft.incoming.with(id);
    if (progress === undefined) {
      this.#addProgress(draft, id, false);
      return;
    }
    progress.isLearner = false;
    draft.learners = draft.learners.without(id);
    draft.learnersNext = draft.learnersNext.without(id);
  }

  #makeLearner(draft: Draft, id: bigint): void {
    const progress = draft.progress.get(id);
    if (progress === undefined) {
      draft.learners = draft.learners.with(id);
      this.#addProgress(draft, id, true);
      return;
    }
    if (progress.isLearner) return;
    remove(draft, id);
    draft.progress.set(id, progress);
    // A voter of the outgoing half keeps voting there until the joint configuration is left.
    if (draft.outgoing.has(id)) {
      draft.learnersNext = draft.learnersNext.with(id);
    } else {
      progress.isLearner = true;
      draft.learners = draft.learners.with(id);
    }
  }

  #addProgress(draft: Draft, id: bigint, isLearner: boolean): void {
    const next = Math.max(this.#lastIndex, 1);
    const progress = new Progress(0, next, isLearner, this.#tracker.newInflights());
    // Without this a quorum check right after the change would depose the leader.
    progress.recentActive = true;
    draft.progress.set(id, progress);
  }
}

function remove(draft: Draft, id: bigint): void {
  if (!draft.progress.has(id)) return;
  draft.incoming = draft.incoming.without(id);
  draft.learners = draft.learners.without(id);
  draft.learnersNext = draft.learnersNext.without(id);
  if (!draft.outgoing.has(id)) draft.progress.delete(id);
}

function symmetricDifference(a: MajorityConfig, b: MajorityConfig): number {
  return a.ids.filter((id) => !b.has(id)).length + b.ids.filter((id) => !a.has(id)).length;
}

function finish(draft: Draft): ChangedConfig {
  checkInvariants(draft);
  return {
    config: {
      voters: new JointConfig(draft.incoming, draft.outgoing),
      learners: draft.learners,
      learnersNext: draft.learnersNext,
      autoLeave: draft.autoLeave,
    },
    progress: draft.progress,
  };
}

function checkInvariants(draft: Draft): void {
  const check = (holds: boolean, message: string): void => {
    if (!holds) throw new RaftInvariantError(message);
  };
  for (const group of [draft.incoming, draft.outgoing, draft.learners, draft.learnersNext]) {
    for (const id of group.ids) check(draft.progress.has(id), `no progress for ${id}`);
  }
  for (const id of draft.learnersNext.ids) {
    check(draft.outgoing.has(id), `${id} is in LearnersNext, but not Voters[1]`);
    check(!draft.progress.get(id)?.isLearner, `${id} is in LearnersNext, but already a learner`);
  }
  for (const id of draft.learners.ids) {
    check(!draft.outgoing.has(id), `${id} is in Learners and Voters[1]`);
    check(!draft.incoming.has(id), `${id} is in Learners and Voters[0]`);
    check(draft.progress.get(id)?.isLearner === true, `${id} is in Learners, but is not marked`);
  }
  if (draft.outgoing.size === 0) {
    check(draft.learnersNext.size === 0, 'cfg.LearnersNext must be nil when not joint');
    check(!draft.autoLeave, 'AutoLeave must be false when not joint');
  }
}
