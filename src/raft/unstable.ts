import type { Logger } from '../base/logger.js';
import { RaftInvariantError } from './errors.js';
import { type Entry, NO_ENTRIES, type Snapshot } from './types.js';

/**
 * The tail of the log that storage has not confirmed yet, and possibly a received snapshot before
 * it. The entry at position i has the index `offset + i`. What was handed to storage stays here, marked as in
 * progress, until storage reports it stable.
 */
export class Unstable {
  snapshot: Snapshot | undefined = undefined;
  offset: number;
  snapshotInProgress = false;
  /** Exclusive end of what was handed to storage; offset <= offsetInProgress <= end. */
  offsetInProgress: number;
  readonly #logger: Logger;
  #entries: Entry[] = [];

  constructor(offset: number, logger: Logger) {
    this.offset = offset;
    this.offsetInProgress = offset;
    this.#logger = logger;
  }

  /** Number of entries held. */
  get length(): number {
    return this.#entries.length;
  }

  /** First index that the whole log can have, known only if a snapshot is pending. */
  maybeFirstIndex(): number | undefined {
    return this.snapshot === undefined ? undefined : this.snapshot.index + 1;
  }

  /** Last index, if there is an entry or a snapshot. */
  maybeLastIndex(): number | undefined {
    if (this.#entries.length > 0) return this.offset + this.#entries.length - 1;
    return this.snapshot?.index;
  }

  /** Term at `index`, if it is held here. */
  maybeTerm(index: number): number | undefined {
    if (index >= this.offset) return this.#entries[index - this.offset]?.term;
    return this.snapshot?.index === index ? this.snapshot.term : undefined;
  }

  /** Entries that were not handed to storage yet. */
  nextEntries(): readonly Entry[] {
    const inProgress = this.offsetInProgress - this.offset;
    return inProgress === this.#entries.length ? NO_ENTRIES : this.#entries.slice(inProgress);
  }

  hasNextEntries(): boolean {
    return this.offsetInProgress - this.offset < this.#entries.length;
  }

  /** The snapshot, if it was not handed to storage yet. */
  nextSnapshot(): Snapshot | undefined {
    return this.snapshotInProgress ? undefined : this.snapshot;
  }

  /** Marks all that is here as handed to storage. */
  acceptInProgress(): void {
    this.offsetInProgress = this.offset + this.#entries.length;
    if (this.snapshot !== undefined) this.snapshotInProgress = true;
  }

  /**
   * Storage holds the entries up to `index`, the last one having had `term` when it was handed out.
   * A report that does not fit is ignored: the entry was replaced meanwhile, and a write of the
   * replacement is on its way (reference: raft A6).
   */
  stableTo(index: number, term: number): void {
    const own = this.maybeTerm(index);
    if (own === undefined) {
      this.#logger.info(`entry at index ${index} missing from unstable log; ignoring`);
      return;
    }
    if (index < this.offset) {
      this.#logger.info(`entry at index ${index} matched unstable snapshot; ignoring`);
      return;
    }
    if (own !== term) {
      this.#logger.info(
        `entry at (index,term)=(${index},${term}) mismatched with ` +
          `entry at (${index},${own}) in unstable log; ignoring`,
      );
      return;
    }
    this.#set(this.#entries.slice(index + 1 - this.offset), index + 1);
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
  }

  stableSnapshotTo(index: number): void {
    if (this.snapshot?.index !== index) return;
    this.snapshot = undefined;
    this.snapshotInProgress = false;
  }

  /** Replaces all by a snapshot that was received. */
  restore(snapshot: Snapshot): void {
    this.#set([], snapshot.index + 1);
    this.offsetInProgress = this.offset;
    this.snapshot = snapshot;
    this.snapshotInProgress = false;
  }

  /** Appends one entry whose index is the next one. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Appends `entries`, dropping what is here at the index of the first one and after it. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]?.index;
    if (from === undefined) return;
    if (from === this.offset + this.#entries.length) {
      for (const entry of entries) this.#entries.push(entry);
      return;
    }
    if (from <= this.offset) {
      this.#logger.info(`replace the unstable entries from index ${from}`);
      this.#set([...entries], from);
      this.offsetInProgress = this.offset;
      return;
    }
    this.#logger.info(`truncate the unstable entries before index ${from}`);
    this.#set([...this.slice(this.offset, from), ...entries], this.offset);
    this.offsetInProgress = Math.min(this.offsetInProgress, from);
  }

  /** Entries in [low, high), which must be held here. */
  slice(low: number, high: number): readonly Entry[] {
    const end = this.offset + this.#entries.length;
    if (low > high) throw new RaftInvariantError(`invalid unstable.slice ${low} > ${high}`);
    if (low < this.offset || high > end) {
      throw new RaftInvariantError(
        `unstable.slice[${low},${high}) out of bound [${this.offset},${end}]`,
      );
    }
    return this.#entries.slice(low - this.offset, high - this.offset);
  }

  #set(entries: Entry[], offset: number): void {
    this.#entries = entries;
    this.offset = offset;
  }
}
