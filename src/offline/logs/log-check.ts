import type { EntryFields } from '../../proto/hot/entry.js';
import type { RecordFields } from '../../proto/hot/record.js';
import {
  decodeHardState,
  decodeLogEntry,
  decodeSnapshotRecord,
  decodeWalIdentity,
  EMPTY_HARD_STATE,
  type HardState,
  RecordType,
  type SnapshotRecord,
} from '../../storage/wal/record-types.js';

/** A record that is right in itself but cannot stand where it does. */
export class Contradiction extends Error {
  override readonly name = 'Contradiction';
}

/** From `index` on, entries are of `term`. */
interface TermRun {
  readonly index: number;
  readonly term: number;
}

/** How much of a log is there. Indexes are 0 if it has no entry. */
export interface LogExtent {
  readonly entries: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/** Checks that the records of a log fit together, keeping none of them. */
export class LogCheck {
  hardState: HardState = EMPTY_HARD_STATE;
  readonly snapshots: SnapshotRecord[] = [];
  #metadata: Buffer | undefined;
  #sawEntry = false;
  /** Undefined until an entry or a snapshot tells. */
  #firstIndex: number | undefined;
  #lastIndex = 0;
  #runs: TermRun[] = [];

  /** Index of the last entry, or of a snapshot that took the place of all. */
  get lastIndex(): number {
    return this.#lastIndex;
  }

  get extent(): LogExtent {
    const first = this.#firstIndex ?? 1;
    const entries = Math.max(0, this.#lastIndex - first + 1);
    const lastTerm = this.#termAt(this.#lastIndex) ?? 0;
    return {
      entries,
      firstIndex: entries > 0 ? first : 0,
      lastIndex: entries > 0 ? this.#lastIndex : 0,
      lastTerm,
    };
  }

  /**
   * @param place how many records stand before it in its segment
   * @throws Contradiction, DecodeError
   */
  take({ type, data }: RecordFields, place: number): void {
    if (place === 0 && type !== RecordType.Crc) {
      throw new Contradiction('the segment does not begin with a crc record');
    }
    if (place === 1 && type !== RecordType.Metadata) {
      throw new Contradiction('the second record of the segment is not metadata');
    }
    switch (type) {
      case RecordType.Metadata:
        this.#takeMetadata(data);
        return;
      case RecordType.Entry:
        this.#takeEntry(decodeLogEntry(data));
        return;
      case RecordType.State:
        this.#takeState(decodeHardState(data));
        return;
      case RecordType.Snapshot:
        this.#takeSnapshot(decodeSnapshotRecord(data));
        return;
      case RecordType.Crc:
        if (data.length > 0) throw new Contradiction('a crc record with data');
        return;
      default:
        throw new Contradiction(`unexpected block type ${type}`);
    }
  }

  #takeMetadata(metadata: Buffer): void {
    decodeWalIdentity(metadata);
    if (this.#metadata !== undefined && !this.#metadata.equals(metadata)) {
      throw new Contradiction('wal: conflicting metadata found');
    }
    this.#metadata = Buffer.from(metadata);
  }

  #takeEntry({ index, term }: EntryFields): void {
    const isFirst = !this.#sawEntry;
    this.#sawEntry = true;
    // What came before may be in a file that was removed long ago.
    if (isFirst && index !== this.#lastIndex + 1) this.#restart(index);
    if (!isFirst && index > this.#lastIndex + 1) {
      throw new Contradiction(`entry ${index} follows entry ${this.#lastIndex}`);
    }
    if (!isFirst && index <= this.hardState.commit) {
      throw new Contradiction(
        `entry ${index} takes the place of a committed one: ${this.hardState.commit} are`,
      );
    }
    this.#cutRuns(index);
    const before = this.#runs.at(-1);
    if (before !== undefined && term < before.term) {
      throw new Contradiction(
        `entry ${index} is of term ${term}, the one before of ${before.term}`,
      );
    }
    if (before?.term !== term) this.#runs.push({ index, term });
    this.#firstIndex = Math.min(this.#firstIndex ?? index, index);
    this.#lastIndex = index;
  }

  #takeState(state: HardState): void {
    const { term, commit } = this.hardState;
    if (state.term < term) {
      throw new Contradiction(`the state goes back from term ${term} to ${state.term}`);
    }
    if (state.commit < commit) {
      throw new Contradiction(`the state goes back from commit ${commit} to ${state.commit}`);
    }
    this.hardState = state;
  }

  /**
   * Trap: a snapshot that the leader sent takes the place of the whole log. It is told by that the log
   * does not hold its last entry.
   */
  #takeSnapshot(snapshot: SnapshotRecord): void {
    const { index, term } = snapshot;
    this.snapshots.push(snapshot);
    const isBelow = this.#firstIndex !== undefined && index < this.#firstIndex;
    if (index === 0 || isBelow || this.#termAt(index) === term) return;
    this.#runs = [{ index, term }];
    this.#firstIndex = index + 1;
    this.#lastIndex = index;
  }

  #restart(firstIndex: number): void {
    this.#runs = [];
    this.#firstIndex = firstIndex;
  }

  /** Undefined if the log does not hold the entry. */
  #termAt(index: number): number | undefined {
    if (index > this.#lastIndex) return undefined;
    return this.#runs.findLast((run) => run.index <= index)?.term;
  }

  #cutRuns(index: number): void {
    while ((this.#runs.at(-1)?.index ?? -1) >= index) this.#runs.pop();
  }
}
