import type { ConfState, Entry, HardState, Snapshot } from './types.js';

/**
 * What Raft reads back of what was made stable. It holds a snapshot point and the entries after it.
 * Reads are synchronous: a member keeps the recent log in memory and the WAL behind it.
 */
export interface Storage {
  /** The state that was saved last; `hardState` is absent on a fresh member. */
  initialState(): { readonly hardState: HardState | undefined; readonly confState: ConfState };
  /**
   * Entries in [low, high), cut so that their encoded size is at most `maxSize` bytes but never
   * below one entry.
   * @throws {RaftError} Compacted if `low` is at or before the snapshot point, Unavailable if `high`
   *   is beyond lastIndex + 1.
   */
  entries(low: number, high: number, maxSize: number): readonly Entry[];
  /** Term of the entry at `index`, valid in [firstIndex - 1, lastIndex], else undefined. */
  term(index: number): number | undefined;
  /** Index of the first entry that may be read; one past the snapshot point. */
  firstIndex(): number;
  /** Index of the last entry, or of the snapshot point if there are none. */
  lastIndex(): number;
  /**
   * The most recent snapshot.
   * @throws {RaftError} SnapshotTemporarilyUnavailable if it is still being made.
   */
  snapshot(): Snapshot;
}
