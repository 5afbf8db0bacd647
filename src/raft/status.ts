import type { RaftCore } from './core.js';
import type { TrackerConfig } from './tracker/tracker.js';
import { type HardState, Role, type SoftState } from './types.js';

/** How far a follower is, as its leader sees it. */
export interface ProgressStatus {
  readonly match: number;
  readonly next: number;
  readonly isLearner: boolean;
  /** Whether it was heard of since the last quorum check. */
  readonly recentActive: boolean;
  /** As logs print a Progress. */
  readonly text: string;
}

export interface RaftStatus extends HardState, SoftState {
  readonly id: bigint;
  readonly applied: number;
  readonly lastIndex: number;
  readonly leadTransferee: bigint;
  readonly config: TrackerConfig;
  /** By ascending id; empty unless this member leads. */
  readonly progress: ReadonlyMap<bigint, ProgressStatus>;
}

export function raftStatus(core: RaftCore): RaftStatus {
  const progress = new Map<bigint, ProgressStatus>();
  if (core.role === Role.Leader) {
    for (const [id, member] of core.tracker.ordered) {
      const { match, next, isLearner, recentActive } = member;
      progress.set(id, { match, next, isLearner, recentActive, text: member.toString() });
    }
  }
  return {
    id: core.id,
    ...core.hardState(),
    lead: core.lead,
    role: core.role,
    applied: core.log.applied,
    lastIndex: core.log.lastIndex(),
    leadTransferee: core.leadTransferee,
    config: core.tracker.config,
    progress,
  };
}
