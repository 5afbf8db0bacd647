import { EMPTY_BYTES } from '../base/bytes.js';
import { limitSize } from './entry-size.js';
import { RaftError, RaftInvariantError } from './errors.js';
import type { Storage } from './storage.js';
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Entry,
  type HardState,
  NO_ENTRIES,
  type Snapshot,
} from './types.js';

/**
 * The recent log in memory. The WAL makes it durable; this is what Raft reads back.
 * Its owner bounds it by calling `compact`.
 */
export class MemoryStorage implements Storage {
  #hardState: HardState | undefined;
  #snapshot: Snapshot = { data: EMPTY_BYTES, index: 0, term: 0, confState: EMPTY_CONF_STATE };
  /** Where the log was cut: the entry before the first one that is kept. */
  #cutIndex = 0;
  #cutTerm = 0;
  #entries: Entry[] = [];
  #bytes = 0;

  initialState(): { readonly hardState: HardState | undefined; readonly confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.confState };
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  entries(low: number, high: number, maxSize: number): readonly Entry[] {
    if (low <= this.#cutIndex) throw new RaftError('Compacted');
    if (high > this.lastIndex() + 1) throw new RaftError('Unavailable');
    if (low >= high) return NO_ENTRIES;
    const start = low - this.#cutIndex - 1;
    return limitSize(this.#entries.slice(start, start + high - low), maxSize);
  }

  term(index: number): number | undefined {
    if (index === this.#cutIndex) return this.#cutTerm;
    return this.#entries[index - this.#cutIndex - 1]?.term;
  }

  /** Bytes of the data of all entries. */
  get bytes(): number {
    return this.#bytes;
  }

  firstIndex(): number {
    return this.#cutIndex + 1;
  }

  lastIndex(): number {
    return this.#cutIndex + this.#entries.length;
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  /**
   * Replaces everything by a snapshot that was received.
   * @throws {RaftError} SnapshotOutOfDate if a snapshot as new is already here.
   */
  applySnapshot(snapshot: Snapshot): void {
    const existing = this.#snapshot.index;
    if (existing !== 0 && existing >= snapshot.index) throw new RaftError('SnapshotOutOfDate');
    this.#snapshot = snapshot;
    this.#cutIndex = snapshot.index;
    this.#cutTerm = snapshot.term;
    this.#entries = [];
    this.#bytes = 0;
  }

  /**
   * Remembers a snapshot of the own state at `index`; the log stays until `compact`.
   * @throws {RaftError} SnapshotOutOfDate if `index` is not beyond the previous snapshot.
   */
  createSnapshot(index: number, confState: ConfState | undefined, data: Buffer): Snapshot {
    if (index <= this.#snapshot.index) throw new RaftError('SnapshotOutOfDate');
    const term = index > this.lastIndex() ? undefined : this.term(index);
    if (term === undefined) {
      throw new RaftInvariantError(
        `snapshot ${index} is out of bound lastindex(${this.lastIndex()})`,
      );
    }
    this.#snapshot = { data, index, term, confState: confState ?? this.#snapshot.confState };
    return this.#snapshot;
  }

  /**
   * Drops the entries up to and including `index`, which the caller must have applied.
   * @throws {RaftError} Compacted if that was done before.
   */
  compact(index: number): void {
    if (index <= this.#cutIndex) throw new RaftError('Compacted');
    const term = index > this.lastIndex() ? undefined : this.term(index);
    if (term === undefined) {
      throw new RaftInvariantError(
        `compact ${index} is out of bound lastindex(${this.lastIndex()})`,
      );
    }
    const dropped = index - this.#cutIndex;
    this.#forgetBytes(0, dropped);
    this.#entries = this.#entries.slice(dropped);
    this.#cutIndex = index;
    this.#cutTerm = term;
  }

  /** Appends entries, which replace those that are here at the same and at higher indexes. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    const last = entries[entries.length - 1];
    if (first === undefined || last === undefined || last.index <= this.#cutIndex) return;
    const skip = Math.max(0, this.#cutIndex + 1 - first.index);
    const keep = first.index + skip - this.#cutIndex - 1;
    if (keep > this.#entries.length) {
      throw new RaftInvariantError(
        `missing log entry [last: ${this.lastIndex()}, append at: ${first.index}]`,
      );
    }
    if (keep < this.#entries.length) {
      this.#forgetBytes(keep, this.#entries.length);
      this.#entries.length = keep;
    }
    for (let position = skip; position < entries.length; position++) {
      const entry = entries[position];
      if (entry === undefined) continue;
      this.#entries.push(entry);
      this.#bytes += entry.data.length;
    }
  }

  #forgetBytes(start: number, end: number): void {
    for (let position = start; position < end; position++) {
      this.#bytes -= this.#entries[position]?.data.length ?? 0;
    }
  }
}
