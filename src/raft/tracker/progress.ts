import { RaftInvariantError } from '../errors.js';
import type { Inflights } from './inflights.js';

/**
 * How the leader sends to a follower. Probe: one append at a time, until the point where the logs
 * agree is found. Replicate: a stream of appends. Snapshot: nothing, a snapshot is on its way.
 */
export const ProgressState = { Probe: 0, Replicate: 1, Snapshot: 2 } as const;
export type ProgressState = (typeof ProgressState)[keyof typeof ProgressState];

const STATE_NAMES = ['StateProbe', 'StateReplicate', 'StateSnapshot'] as const;

/** What the leader knows of one follower (reference: raft A5). Always match < next. */
export class Progress {
  /** Highest index known to be replicated. */
  match: number;
  /** Index of the next entry to send. */
  next: number;
  /** Highest commit index sent; may fall when appends are lost. */
  sentCommit = 0;
  state: ProgressState = ProgressState.Probe;
  /** Index of the snapshot on its way, 0 if none. */
  pendingSnapshot = 0;
  /** Whether the follower was heard of since the last quorum check. */
  recentActive = false;
  /** Whether appends wait for an acknowledgement or a heartbeat response. */
  appendsPaused = false;
  isLearner: boolean;
  readonly inflights: Inflights;

  constructor(match: number, next: number, isLearner: boolean, inflights: Inflights) {
    this.match = match;
    this.next = next;
    this.isLearner = isLearner;
    this.inflights = inflights;
  }

  /** A copy that shares the inflights: a change of configuration edits copies. */
  clone(): Progress {
    const copy = new Progress(this.match, this.next, this.isLearner, this.inflights);
    copy.sentCommit = this.sentCommit;
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.recentActive = this.recentActive;
    copy.appendsPaused = this.appendsPaused;
    return copy;
  }

  #reset(state: ProgressState): void {
    this.appendsPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }

  becomeProbe(): void {
    // After a snapshot, continue behind it even if its acknowledgement was lost.
    const next =
      this.state === ProgressState.Snapshot
        ? Math.max(this.match + 1, this.pendingSnapshot + 1)
        : this.match + 1;
    this.#reset(ProgressState.Probe);
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#reset(ProgressState.Replicate);
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#reset(ProgressState.Snapshot);
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** An append with `count` entries of `bytes` payload was sent. */
  sentEntries(count: number, bytes: number): void {
    switch (this.state) {
      case ProgressState.Replicate:
        if (count > 0) {
          this.next += count;
          this.inflights.add(this.next - 1, bytes);
        }
        // A full window makes this append a probe: nothing follows until an answer.
        this.appendsPaused = this.inflights.full;
        break;
      case ProgressState.Probe:
        if (count > 0) this.appendsPaused = true;
        break;
      default:
        throw new RaftInvariantError(`sending append in unhandled state ${this.stateName}`);
    }
  }

  /** Whether sending the commit index `commit` could advance that of the follower. */
  canBumpCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The follower holds everything up to `index`. Returns whether that is news. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendsPaused = false;
    return true;
  }

  /**
   * The follower rejected an append after `rejected`, and logs may agree up to `hint`.
   * Returns false for a rejection that is out of date.
   */
  maybeDecreaseTo(rejected: number, hint: number): boolean {
    if (this.state === ProgressState.Replicate) {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.appendsPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  get paused(): boolean {
    return this.state === ProgressState.Snapshot || this.appendsPaused;
  }

  get stateName(): string {
    return STATE_NAMES[this.state];
  }

  /** As logs print it: `StateProbe match=0 next=1`. */
  toString(): string {
    let text = `${this.stateName} match=${this.match} next=${this.next}`;
    if (this.isLearner) text += ' learner';
    if (this.paused) text += ' paused';
    if (this.pendingSnapshot > 0) text += ` pendingSnap=${this.pendingSnapshot}`;
    if (!this.recentActive) text += ' inactive';
    if (this.inflights.count > 0) {
      text += ` inflight=${this.inflights.count}${this.inflights.full ? '[full]' : ''}`;
    }
    return text;
  }
}
