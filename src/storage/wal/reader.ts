import { type Logger, silentLogger } from '../../base/logger.js';
import type { Fs } from '../../platform/fs.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import type { RecordFields } from '../../proto/hot/record.js';
import { type RecordPosition, readRecords, type WalEnd } from './record-reader.js';
import {
  decodeHardState,
  decodeLogEntry,
  decodeSnapshotRecord,
  type HardState,
  RecordType,
  type SnapshotRecord,
} from './record-types.js';
import { type SegmentName, segmentsFrom } from './segment-name.js';
import { listSegments } from './segments.js';
import { WalError } from './wal-error.js';

/** The snapshot after which reading starts; (0, 0) for the whole log. */
export interface WalStart {
  readonly index: number;
  readonly term: number;
}

export const WAL_BEGINNING: WalStart = { index: 0, term: 0 };

/** What a writer needs to go on where reading ended. */
export interface WalTail {
  readonly metadata: Buffer;
  /** Segments from the start snapshot on; the last is the one to append to. */
  readonly segments: readonly SegmentName[];
  /** Length of the last segment, bytes. */
  readonly fileBytes: number;
  /** End of its last valid record, bytes. */
  readonly offset: number;
  /** Running CRC up to there. */
  readonly crc: number;
  /** Index of the last entry, or of the start snapshot if none follows it. */
  readonly lastIndex: number;
}

export interface WalContents {
  /** Empty if the log has no metadata record. */
  readonly metadata: Buffer;
  /** Undefined if the log has no state record. */
  readonly hardState: HardState | undefined;
  /**
   * The entries after the start snapshot, without gaps. Those beyond `hardState.commit` are there
   * too and must not be applied yet.
   */
  readonly entries: EntryFields[];
  /** Whether the log has a record of the start snapshot. */
  readonly snapshotFound: boolean;
  /** Set if the log stops within a record. A writer cannot go on before a repair. */
  readonly torn: WalError | undefined;
  readonly tail: WalTail;
}

export interface WalReadOptions {
  readonly logger?: Logger;
}

export interface WalContentsOptions extends WalReadOptions {
  /**
   * Refuse a log that has no record of the start snapshot. Default false, as etcd does when it goes
   * on to write; tools that only read want true.
   */
  readonly requireSnapshot?: boolean;
}

/**
 * Reads a log from `start` on: later entries override earlier ones of the same index (reference:
 * formats 1.7). Nothing is changed on disk.
 *
 * @throws {WalError} all faults but unexpected-eof, which is told in `torn`
 */
export async function readWal(
  fs: Fs,
  directory: string,
  start: WalStart = WAL_BEGINNING,
  options: WalContentsOptions = {},
): Promise<WalContents> {
  const all = await listSegments(fs, directory, options.logger ?? silentLogger);
  const segments = segmentsFrom(all, start.index);
  const collector = new EntryCollector(start);
  const end = await readRecords(fs, directory, segments, (record, position) =>
    collector.take(record, position),
  );
  const contents = collector.contents(segments, end);
  if (options.requireSnapshot && !contents.snapshotFound) throw snapshotNotFound(directory);
  return contents;
}

/** What {@link verifyWal} found. */
export interface WalSummary {
  readonly hardState: HardState | undefined;
}

/**
 * Checks CRCs, metadata, record types and the start snapshot, keeping nothing (reference: formats
 * 1.9). A torn end is tolerated.
 *
 * @throws {WalError} any fault, snapshot-not-found among them
 */
export async function verifyWal(
  fs: Fs,
  directory: string,
  start: WalStart = WAL_BEGINNING,
  options: WalReadOptions = {},
): Promise<WalSummary> {
  const all = await listSegments(fs, directory, options.logger ?? silentLogger);
  const segments = segmentsFrom(all, start.index);
  const state = new WalState(start);
  await readRecords(fs, directory, segments, (record, position) => {
    if (record.type !== RecordType.Entry) state.take(record, position);
  });
  if (!state.snapshotFound) throw snapshotNotFound(directory);
  return { hardState: state.hardState };
}

/**
 * The snapshots that the log vouches for: recorded, and not beyond what it committed. The newest is
 * the last; the first is (0, 0) as long as the first segment is there (reference: formats 1.9).
 * Trap: the order of the log is not that of the snapshots. One of the member's own may be complete
 * only when one from the leader, which is ahead of it, is recorded already.
 */
export async function validSnapshots(
  fs: Fs,
  directory: string,
  options: WalReadOptions = {},
): Promise<SnapshotRecord[]> {
  const segments = await listSegments(fs, directory, options.logger ?? silentLogger);
  const snapshots: SnapshotRecord[] = [];
  let commit = 0;
  await readRecords(fs, directory, segments, (record) => {
    if (record.type === RecordType.Snapshot) snapshots.push(decodeSnapshotRecord(record.data));
    else if (record.type === RecordType.State) commit = decodeHardState(record.data).commit;
  });
  return snapshots
    .filter((snapshot) => snapshot.index <= commit)
    .sort((one, other) => one.index - other.index);
}

function snapshotNotFound(directory: string): WalError {
  return new WalError('snapshot-not-found', 'wal: snapshot not found', { file: directory });
}

/** Everything but the entries: metadata, state and the match of the start snapshot. */
class WalState {
  readonly start: WalStart;
  metadata: Buffer | undefined;
  hardState: HardState | undefined;
  snapshotFound = false;

  constructor(start: WalStart) {
    this.start = start;
  }

  take(record: RecordFields, position: RecordPosition): void {
    switch (record.type) {
      case RecordType.Metadata:
        this.#takeMetadata(record.data, position);
        return;
      case RecordType.State:
        this.hardState = decodeHardState(record.data);
        return;
      case RecordType.Crc:
        return;
      case RecordType.Snapshot:
        this.#takeSnapshot(decodeSnapshotRecord(record.data), position);
        return;
      default:
        throw faultAt(position, 'unexpected-block-type', `unexpected block type ${record.type}`);
    }
  }

  #takeMetadata(metadata: Buffer, position: RecordPosition): void {
    if (this.metadata !== undefined && !this.metadata.equals(metadata)) {
      throw faultAt(position, 'metadata-conflict', 'wal: conflicting metadata found');
    }
    this.metadata = Buffer.from(metadata);
  }

  #takeSnapshot(snapshot: SnapshotRecord, position: RecordPosition): void {
    if (snapshot.index !== this.start.index) return;
    if (snapshot.term !== this.start.term) {
      throw faultAt(position, 'snapshot-mismatch', 'wal: snapshot mismatch');
    }
    this.snapshotFound = true;
  }
}

class EntryCollector {
  readonly #state: WalState;
  readonly #entries: EntryFields[] = [];
  #lastIndex: number;
  /** Term of the entry that the log holds at the start snapshot, if it holds it. */
  #termAtStart: number | undefined;

  constructor(start: WalStart) {
    this.#state = new WalState(start);
    this.#lastIndex = start.index;
  }

  take(record: RecordFields, position: RecordPosition): void {
    if (record.type !== RecordType.Entry) {
      this.#state.take(record, position);
      if (record.type === RecordType.Snapshot) this.#takeSnapshot(record.data);
      return;
    }
    const entry = decodeLogEntry(record.data);
    const { start } = this.#state;
    if (entry.index <= start.index) {
      this.#takeBeforeStart(entry);
      return;
    }
    const place = entry.index - start.index - 1;
    if (place > this.#entries.length) {
      throw faultAt(
        position,
        'slice-out-of-range',
        `wal: slice bounds out of range, snapshot[Index: ${start.index}, Term: ${start.term}], ` +
          `current entry[Index: ${entry.index}, Term: ${entry.term}], ` +
          `len(ents): ${this.#entries.length}`,
      );
    }
    this.#entries.length = place;
    this.#entries.push(entry);
    this.#lastIndex = entry.index;
  }

  /**
   * Trap: an entry replaces all at higher indexes too, also where it is not itself wanted. Those that
   * were left would come after entries of a later term, and their member could vote for a leader that
   * lacks what is committed.
   */
  #takeBeforeStart({ index, term }: EntryFields): void {
    this.#clear();
    this.#termAtStart = index === this.#state.start.index ? term : undefined;
  }

  /**
   * Trap: a snapshot that the leader sent replaces the whole log, one that the member made of its own
   * state nothing. It came from the leader if the log did not hold its last entry.
   */
  #takeSnapshot(data: Buffer): void {
    const { start } = this.#state;
    if (decodeSnapshotRecord(data).index !== start.index) return;
    if (this.#termAtStart !== start.term) this.#clear();
    this.#termAtStart = start.term;
  }

  #clear(): void {
    this.#entries.length = 0;
    this.#lastIndex = this.#state.start.index;
  }

  contents(segments: readonly SegmentName[], end: WalEnd): WalContents {
    const { metadata = Buffer.alloc(0), hardState, snapshotFound } = this.#state;
    const { fileBytes, offset, crc, torn } = end;
    const tail = { metadata, segments, fileBytes, offset, crc, lastIndex: this.#lastIndex };
    return { metadata, hardState, entries: this.#entries, snapshotFound, torn, tail };
  }
}

function faultAt(position: RecordPosition, fault: WalError['fault'], message: string): WalError {
  return new WalError(fault, message, { file: position.segment.name, offset: position.offset });
}
