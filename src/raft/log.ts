import type { Logger } from '../base/logger.js';
import { entriesSize, limitSize } from './entry-size.js';
import { RaftError, RaftInvariantError } from './errors.js';
import type { Storage } from './storage.js';
import { type Entry, NO_ENTRIES, type Snapshot } from './types.js';
import { Unstable } from './unstable.js';

/**
 * The whole log: what storage holds, then what is still unstable. Three markers move through it,
 * applied <= applying <= committed: finished by the state machine, handed to it, agreed on.
 */
export class RaftLog {
  readonly storage: Storage;
  readonly unstable: Unstable;
  committed: number;
  applying: number;
  applied: number;
  readonly #logger: Logger;
  /** Bound, in encoded bytes, on the entries handed out for applying and not yet applied. */
  readonly #maxApplyingSize: number;
  #applyingSize = 0;
  #applyingPaused = false;

  constructor(storage: Storage, logger: Logger, maxApplyingSize: number) {
    const first = storage.firstIndex();
    this.storage = storage;
    this.unstable = new Unstable(storage.lastIndex() + 1, logger);
    this.committed = first - 1;
    this.applying = first - 1;
    this.applied = first - 1;
    this.#logger = logger;
    this.#maxApplyingSize = maxApplyingSize;
  }

  firstIndex(): number {
    return this.unstable.maybeFirstIndex() ?? this.storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.maybeLastIndex() ?? this.storage.lastIndex();
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    if (term === undefined) {
      throw new RaftInvariantError(`term of the last entry at ${this.lastIndex()} is unavailable`);
    }
    return term;
  }

  /** Term at `index`, or undefined if it was compacted away or is not in the log. */
  term(index: number): number | undefined {
    const unstable = this.unstable.maybeTerm(index);
    if (unstable !== undefined) return unstable;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return this.storage.term(index);
  }

  matchTerm(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends with (index, term) is at least as complete as this one. */
  isUpToDate(index: number, term: number): boolean {
    const own = this.lastTerm();
    return term > own || (term === own && index >= this.lastIndex());
  }

  /** Appends one entry right after the last one. */
  push(entry: Entry): void {
    this.unstable.push(entry);
  }

  /** Appends entries, which replace those at the same and at higher indexes. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    if (first.index - 1 < this.committed) {
      throw new RaftInvariantError(
        `after(${first.index - 1}) is out of range [committed(${this.committed})]`,
      );
    }
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * Appends the leader's `entries`, which follow (prevIndex, prevTerm), and commits what the leader
   * says is committed of them.
   * @returns the last index now known to match, or undefined if the log has no such predecessor.
   */
  maybeAppend(
    prevIndex: number,
    prevTerm: number,
    entries: readonly Entry[],
    leaderCommit: number,
  ): number | undefined {
    if (!this.matchTerm(prevIndex, prevTerm)) return undefined;
    const lastNew = prevIndex + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict !== 0) {
      if (conflict <= this.committed) {
        throw new RaftInvariantError(
          `entry ${conflict} conflict with committed entry [committed(${this.committed})]`,
        );
      }
      this.append(entries.slice(conflict - prevIndex - 1));
    }
    this.commitTo(Math.min(leaderCommit, lastNew));
    return lastNew;
  }

  /** Index of the first entry that conflicts with the log or is missing from it, 0 if none. */
  #findConflict(entries: readonly Entry[]): number {
    for (const entry of entries) {
      const own = this.term(entry.index);
      if (own === entry.term) continue;
      if (entry.index <= this.lastIndex()) {
        this.#logger.info(
          `found conflict at index ${entry.index} ` +
            `[existing term: ${own ?? 0}, conflicting term: ${entry.term}]`,
        );
      }
      return entry.index;
    }
    return 0;
  }

  /**
   * The largest index <= `index` whose term is <= `term`, or is unknown: where the logs of two
   * members may still agree. The returned term is 0 if unknown (reference: raft A4, Follower).
   */
  findConflictByTerm(index: number, term: number): { index: number; term: number } {
    for (let at = index; at > 0; at--) {
      const own = this.term(at);
      if (own === undefined) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    const last = this.lastIndex();
    if (index > last) {
      throw new RaftInvariantError(
        `tocommit(${index}) is out of range [lastIndex(${last})]. ` +
          'Was the raft log corrupted, truncated, or lost?',
      );
    }
    this.committed = index;
  }

  /** Commits up to `index` if that advances, and only if its entry is of `term`. */
  maybeCommit(index: number, term: number): boolean {
    if (term === 0 || index <= this.committed || !this.matchTerm(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  /** Replaces the log by a snapshot, which is committed by nature. */
  restore(snapshot: Snapshot): void {
    this.#logger.info(
      `log [committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, ` +
        `unstable.offset=${this.unstable.offset}, ` +
        `unstable.offsetInProgress=${this.unstable.offsetInProgress}, ` +
        `len(unstable.Entries)=${this.unstable.length}] ` +
        `starts to restore snapshot [index: ${snapshot.index}, term: ${snapshot.term}]`,
    );
    this.committed = snapshot.index;
    this.unstable.restore(snapshot);
  }

  /** The pending snapshot if there is one, else that of storage. */
  snapshot(): Snapshot {
    return this.unstable.snapshot ?? this.storage.snapshot();
  }

  /**
   * Entries from `low` on, at most `maxSize` encoded bytes but at least one if there is one.
   * @throws {RaftError} Compacted
   */
  entries(low: number, maxSize: number): readonly Entry[] {
    return low > this.lastIndex() ? NO_ENTRIES : this.slice(low, this.lastIndex() + 1, maxSize);
  }

  /**
   * Entries in [low, high), cut to `maxSize` encoded bytes but at least one.
   * @throws {RaftError} Compacted
   */
  slice(low: number, high: number, maxSize: number): readonly Entry[] {
    this.#checkBounds(low, high);
    if (low === high) return NO_ENTRIES;
    const offset = this.unstable.offset;
    if (low >= offset) return limitSize(this.unstable.slice(low, high), maxSize);
    const cut = Math.min(high, offset);
    const stable = this.storage.entries(low, cut, maxSize);
    if (high <= offset || stable.length < cut - low) return stable;
    const size = entriesSize(stable);
    if (size >= maxSize) return stable;
    const unstable = limitSize(this.unstable.slice(offset, high), maxSize - size);
    if (unstable.length === 1 && size + entriesSize(unstable) > maxSize) return stable;
    return [...stable, ...unstable];
  }

  #checkBounds(low: number, high: number): void {
    if (low > high) throw new RaftInvariantError(`invalid slice ${low} > ${high}`);
    const first = this.firstIndex();
    if (low < first) throw new RaftError('Compacted');
    if (high > this.lastIndex() + 1) {
      throw new RaftInvariantError(
        `slice[${low},${high}) out of bound [${first},${this.lastIndex()}]`,
      );
    }
  }

  /**
   * Committed entries to apply next. Empty while a snapshot waits to be applied, and while as much
   * is being applied as the bound allows. `allowUnstable` admits entries that storage has not
   * confirmed.
   */
  nextCommittedEntries(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommittedEntries(allowUnstable)) return NO_ENTRIES;
    return this.slice(
      this.applying + 1,
      this.#maxAppliableIndex(allowUnstable) + 1,
      this.#maxApplyingSize - this.#applyingSize,
    );
  }

  hasNextCommittedEntries(allowUnstable: boolean): boolean {
    if (this.#applyingPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.#maxAppliableIndex(allowUnstable);
  }

  #maxAppliableIndex(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  /** Entries up to `index`, of `size` encoded bytes, were handed out for applying. */
  acceptApplying(index: number, size: number, allowUnstable: boolean): void {
    if (this.committed < index) {
      throw new RaftInvariantError(
        `applying(${index}) is out of range [prevApplying(${this.applying}), ` +
          `committed(${this.committed})]`,
      );
    }
    this.applying = index;
    this.#applyingSize += size;
    // Stopping short of the appliable end means that the next entry would cross the bound.
    this.#applyingPaused =
      this.#applyingSize >= this.#maxApplyingSize || index < this.#maxAppliableIndex(allowUnstable);
  }

  /** The state machine holds everything up to `index`; `size` is what that batch was accepted with. */
  appliedTo(index: number, size: number): void {
    if (this.committed < index || index < this.applied) {
      throw new RaftInvariantError(
        `applied(${index}) is out of range [prevApplied(${this.applied}), ` +
          `committed(${this.committed})]`,
      );
    }
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingSize = Math.max(0, this.#applyingSize - size);
    this.#applyingPaused = this.#applyingSize >= this.#maxApplyingSize;
  }
}
