import { idText } from '../types.js';

/** Outcome of a vote as far as it is known. */
export const VoteResult = { Pending: 1, Lost: 2, Won: 3 } as const;
export type VoteResult = (typeof VoteResult)[keyof typeof VoteResult];

/** The highest index that a member has acknowledged; undefined if it is not known. */
export type AckedIndex = (id: bigint) => number | undefined;

/** The vote of a member; undefined if it has not voted. */
export type Votes = (id: bigint) => boolean | undefined;

/** A set of voters that decides by majority. Immutable; ids ascend. */
export class MajorityConfig {
  static readonly EMPTY = new MajorityConfig([]);
  readonly ids: readonly bigint[];

  /** @param ids without duplicates, in any order. */
  constructor(ids: readonly bigint[]) {
    this.ids = [...ids].sort((a, b) => (a < b ? -1 : 1));
  }

  get size(): number {
    return this.ids.length;
  }

  has(id: bigint): boolean {
    return this.ids.includes(id);
  }

  with(id: bigint): MajorityConfig {
    return this.has(id) ? this : new MajorityConfig([...this.ids, id]);
  }

  without(id: bigint): MajorityConfig {
    return this.has(id) ? new MajorityConfig(this.ids.filter((other) => other !== id)) : this;
  }

  /**
   * The highest index that a majority has acknowledged. Infinity without voters, which lets an
   * empty half of a joint configuration stand aside.
   */
  committedIndex(acked: AckedIndex): number {
    const ids = this.ids;
    const only = ids[0];
    if (only === undefined) return Number.POSITIVE_INFINITY;
    if (ids.length === 1) return acked(only) ?? 0;
    const indexes = ids.map((id) => acked(id) ?? 0).sort((a, b) => a - b);
    return indexes[indexes.length - (Math.floor(indexes.length / 2) + 1)] ?? 0;
  }

  voteResult(votes: Votes): VoteResult {
    if (this.ids.length === 0) return VoteResult.Won;
    let yes = 0;
    let missing = 0;
    for (const id of this.ids) {
      const vote = votes(id);
      if (vote === undefined) missing++;
      else if (vote) yes++;
    }
    const quorum = Math.floor(this.ids.length / 2) + 1;
    if (yes >= quorum) return VoteResult.Won;
    return yes + missing >= quorum ? VoteResult.Pending : VoteResult.Lost;
  }

  /** As logs print it: `(1 2 3)`. */
  toString(): string {
    return `(${this.ids.map(idText).join(' ')})`;
  }
}
