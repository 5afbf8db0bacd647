import { type AckedIndex, MajorityConfig, VoteResult, type Votes } from './majority.js';

/**
 * Two sets of voters, both of which must agree while the membership passes from one to the other.
 * Outside of a joint configuration `outgoing` is empty. Immutable.
 */
export class JointConfig {
  static readonly EMPTY = new JointConfig(MajorityConfig.EMPTY, MajorityConfig.EMPTY);
  readonly incoming: MajorityConfig;
  readonly outgoing: MajorityConfig;
  /** Voters of either half, ascending. */
  readonly ids: readonly bigint[];

  constructor(incoming: MajorityConfig, outgoing: MajorityConfig) {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.ids =
      outgoing.size === 0
        ? incoming.ids
        : new MajorityConfig([...new Set([...incoming.ids, ...outgoing.ids])]).ids;
  }

  get isJoint(): boolean {
    return this.outgoing.size > 0;
  }

  has(id: bigint): boolean {
    return this.incoming.has(id) || this.outgoing.has(id);
  }

  committedIndex(acked: AckedIndex): number {
    const incoming = this.incoming.committedIndex(acked);
    return this.isJoint ? Math.min(incoming, this.outgoing.committedIndex(acked)) : incoming;
  }

  voteResult(votes: Votes): VoteResult {
    const incoming = this.incoming.voteResult(votes);
    const outgoing = this.outgoing.voteResult(votes);
    if (incoming === outgoing) return incoming;
    return incoming === VoteResult.Lost || outgoing === VoteResult.Lost
      ? VoteResult.Lost
      : VoteResult.Pending;
  }

  /** As logs print it: `(1 2)&&(1)`. */
  toString(): string {
    return this.isJoint ? `${this.incoming}&&${this.outgoing}` : this.incoming.toString();
  }
}
