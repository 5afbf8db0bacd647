import { type Entry, EntryType, type Snapshot } from '../../../src/raft/types.js';

/** An entry with `length` bytes of payload. */
export function entry(index: number, term: number, length = 0): Entry {
  return { type: EntryType.Normal, term, index, data: Buffer.alloc(length, 'x') };
}

/** Entries of the given terms, from index `first` on. */
export function entries(first: number, ...terms: number[]): Entry[] {
  return terms.map((term, position) => entry(first + position, term));
}

export function snapshot(index: number, term: number, voters: readonly bigint[] = []): Snapshot {
  const confState = {
    voters,
    learners: [],
    votersOutgoing: [],
    learnersNext: [],
    autoLeave: false,
  };
  return { data: Buffer.alloc(0), index, term, confState };
}
