import { JointConfig } from '../quorum/joint.js';
import { MajorityConfig, type VoteResult } from '../quorum/majority.js';
import type { ConfState } from '../types.js';
import { Inflights } from './inflights.js';
import { Progress } from './progress.js';

/** Who takes part, and how. Immutable; learners are disjoint from both halves of the voters. */
export interface TrackerConfig {
  readonly voters: JointConfig;
  readonly learners: MajorityConfig;
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: MajorityConfig;
  readonly autoLeave: boolean;
}

const EMPTY_TRACKER_CONFIG: TrackerConfig = {
  voters: JointConfig.EMPTY,
  learners: MajorityConfig.EMPTY,
  learnersNext: MajorityConfig.EMPTY,
  autoLeave: false,
};

/** As logs print it: `voters=(1 2)&&(1) learners=(3) autoleave`. */
export function configText(config: TrackerConfig): string {
  let text = `voters=${config.voters}`;
  if (config.learners.size > 0) text += ` learners=${config.learners}`;
  if (config.learnersNext.size > 0) text += ` learners_next=${config.learnersNext}`;
  if (config.autoLeave) text += ' autoleave';
  return text;
}

export type ProgressMap = ReadonlyMap<bigint, Progress>;

/** The configuration, the progress of every member in it, and the votes of the current election. */
export class ProgressTracker {
  config: TrackerConfig = EMPTY_TRACKER_CONFIG;
  readonly maxInflight: number;
  readonly maxInflightBytes: number;
  #progress: ProgressMap = new Map();
  /** Members in ascending order of their ids, which is the order in which messages go out. */
  #ordered: readonly (readonly [bigint, Progress])[] = [];
  #votes = new Map<bigint, boolean>();

  constructor(maxInflight: number, maxInflightBytes: number) {
    this.maxInflight = maxInflight;
    this.maxInflightBytes = maxInflightBytes;
  }

  get progress(): ProgressMap {
    return this.#progress;
  }

  /** All members, learners included, by ascending id. */
  get ordered(): readonly (readonly [bigint, Progress])[] {
    return this.#ordered;
  }

  switchTo(config: TrackerConfig, progress: ProgressMap): void {
    this.config = config;
    this.#progress = progress;
    this.#ordered = [...progress].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  get(id: bigint): Progress | undefined {
    return this.#progress.get(id);
  }

  newInflights(): Inflights {
    return new Inflights(this.maxInflight, this.maxInflightBytes);
  }

  /** Starts every member over, probing after `lastIndex`; a role begins so. */
  resetProgress(selfId: bigint, lastIndex: number): void {
    const progress = new Map<bigint, Progress>();
    for (const [id, previous] of this.#ordered) {
      const match = id === selfId ? lastIndex : 0;
      progress.set(id, new Progress(match, lastIndex + 1, previous.isLearner, this.newInflights()));
    }
    this.switchTo(this.config, progress);
  }

  get isSingleVoter(): boolean {
    return this.config.voters.incoming.size === 1 && !this.config.voters.isJoint;
  }

  /** The highest index that the quorum holds. */
  committedIndex(): number {
    return this.config.voters.committedIndex((id) => this.#progress.get(id)?.match);
  }

  /** Whether a quorum of voters was heard of since the last check. */
  quorumVote(): VoteResult {
    return this.config.voters.voteResult((id) => {
      const progress = this.#progress.get(id);
      return progress === undefined || progress.isLearner ? undefined : progress.recentActive;
    });
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** Records a vote; the first one of a member counts. */
  recordVote(id: bigint, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  tallyVotes(): { granted: number; rejected: number; result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const [id, progress] of this.#ordered) {
      if (progress.isLearner) continue;
      const vote = this.#votes.get(id);
      if (vote === true) granted++;
      else if (vote === false) rejected++;
    }
    const result = this.config.voters.voteResult((id) => this.#votes.get(id));
    return { granted, rejected, result };
  }

  confState(): ConfState {
    return {
      voters: this.config.voters.incoming.ids,
      votersOutgoing: this.config.voters.outgoing.ids,
      learners: this.config.learners.ids,
      learnersNext: this.config.learnersNext.ids,
      autoLeave: this.config.autoLeave,
    };
  }
}
