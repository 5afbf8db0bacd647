import { silentLogger } from '../../base/logger.js';
import type { Fs } from '../../platform/fs.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import type { RecordFields } from '../../proto/hot/record.js';
import { type RecordPosition, readRecords } from '../../storage/wal/record-reader.js';
import {
  decodeHardState,
  decodeLogEntry,
  decodeSnapshotRecord,
  decodeWalIdentity,
  EMPTY_HARD_STATE,
  type HardState,
  RecordType,
  type WalIdentity,
} from '../../storage/wal/record-types.js';
import { type SegmentName, segmentsFrom } from '../../storage/wal/segment-name.js';
import { listSegments } from '../../storage/wal/segments.js';
import { WalError } from '../../storage/wal/wal-error.js';
import type { KeptSegments } from './log-directory.js';

/** The snapshot after which a dump begins. */
export interface DumpStart {
  readonly index: number;
  /** Undefined: whatever it was, and whether or not the log has a record of it. */
  readonly term: number | undefined;
}

/** From record `record` on, the log holds nothing of what came before at `index` and above. */
interface Rewind {
  readonly record: number;
  readonly index: number;
}

/** What a log holds, without its entries: all that is needed to read these in a second pass. */
export interface LogOutline {
  readonly start: DumpStart;
  readonly segments: readonly SegmentName[];
  /** Whose log it is; zeros if it does not say. */
  readonly identity: WalIdentity;
  readonly hardState: HardState;
  /** Index of the last entry; that of the start if none follows. */
  readonly lastIndex: number;
  /** Set if the log stops within a record. */
  readonly torn: WalError | undefined;
  /** Set if entries are missing; the outline ends there. */
  readonly gap: WalError | undefined;
  /** Records in it. What is written later does not belong to it. */
  readonly records: number;
  /** Ascending in both; each at least one entry above the one before. */
  readonly rewinds: readonly Rewind[];
}

export interface OutlineOptions {
  /** Take what comes before missing entries, rather than fail. */
  readonly stopAtGap: boolean;
}

/** Ends reading from within. */
class EnoughError extends Error {}

/**
 * Reads a log for {@link readEntries}, keeping no entry: later entries override earlier ones, as a
 * member takes them at boot (reference: formats 1.7).
 *
 * @throws WalError, ErrnoException
 */
export async function readOutline(
  fs: Fs,
  files: KeptSegments,
  directory: string,
  start: DumpStart,
  { stopAtGap }: OutlineOptions,
): Promise<LogOutline> {
  // An absent directory is an error here, where others take it for an empty one.
  await fs.readDirectory(directory);
  const all = await listSegments(fs, directory, silentLogger);
  const segments = segmentsFrom(all, start.index);
  const sketch = new Sketch(start);
  let torn: WalError | undefined;
  let gap: WalError | undefined;
  try {
    const end = await readRecords(files, directory, segments, (record, position) =>
      sketch.take(record, position),
    );
    torn = end.torn;
  } catch (error) {
    const isGap = error instanceof WalError && error.fault === 'slice-out-of-range';
    if (!isGap || !stopAtGap) throw error;
    gap = error;
  }
  if (!sketch.snapshotFound && start.term !== undefined && gap === undefined) {
    throw new WalError('snapshot-not-found', 'wal: snapshot not found', { file: directory });
  }
  const { identity, hardState, lastIndex, records, rewinds } = sketch;
  return { start, segments, identity, hardState, lastIndex, torn, gap, records, rewinds };
}

/**
 * The entries of an outline in the order of their indexes. Memory in use is one chunk.
 *
 * @param take gets entries whose data aliases the chunk; reading waits for its promise
 * @throws WalError, ErrnoException, and what `take` throws
 */
export async function readEntries(
  files: KeptSegments,
  directory: string,
  { start, segments, records, rewinds }: LogOutline,
  take: (entry: EntryFields) => void | Promise<void>,
): Promise<void> {
  let record = 0;
  let next = 0;
  try {
    await readRecords(files, directory, segments, ({ type, data }) => {
      if (record === records) throw new EnoughError();
      const own = record++;
      if (type !== RecordType.Entry) return;
      const entry = decodeLogEntry(data);
      while ((rewinds[next]?.record ?? records) <= own) next += 1;
      const limit = rewinds[next]?.index ?? Number.POSITIVE_INFINITY;
      if (entry.index > start.index && entry.index < limit) return take(entry);
    });
  } catch (error) {
    if (!(error instanceof EnoughError)) throw error;
  }
}

class Sketch {
  readonly #start: DumpStart;
  #metadata: Buffer | undefined;
  identity: WalIdentity = { memberId: 0n, clusterId: 0n };
  hardState = EMPTY_HARD_STATE;
  snapshotFound = false;
  lastIndex: number;
  records = 0;
  rewinds: Rewind[] = [];
  /** Term of the entry that the log holds at the start, if it holds it. */
  #termAtStart: number | undefined;

  constructor(start: DumpStart) {
    this.#start = start;
    this.lastIndex = start.index;
  }

  take({ type, data }: RecordFields, position: RecordPosition): void {
    switch (type) {
      case RecordType.Metadata:
        this.#takeMetadata(data, position);
        break;
      case RecordType.Entry:
        this.#takeEntry(decodeLogEntry(data), position);
        break;
      case RecordType.State:
        this.hardState = decodeHardState(data);
        break;
      case RecordType.Crc:
        break;
      case RecordType.Snapshot:
        this.#takeSnapshot(data, position);
        break;
      default:
        throw faultAt(position, 'unexpected-block-type', `unexpected block type ${type}`);
    }
    this.records += 1;
  }

  #takeMetadata(metadata: Buffer, position: RecordPosition): void {
    if (this.#metadata !== undefined && !this.#metadata.equals(metadata)) {
      throw faultAt(position, 'metadata-conflict', 'wal: conflicting metadata found');
    }
    this.identity = decodeWalIdentity(metadata);
    this.#metadata = Buffer.from(metadata);
  }

  #takeEntry({ index, term }: EntryFields, position: RecordPosition): void {
    const start = this.#start.index;
    if (index > this.lastIndex + 1) {
      throw faultAt(
        position,
        'slice-out-of-range',
        `wal: slice bounds out of range, snapshot[Index: ${start}, Term: ${this.#start.term ?? 0}], ` +
          `current entry[Index: ${index}, Term: ${term}], len(ents): ${this.lastIndex - start}`,
      );
    }
    // Trap: an entry replaces all at higher indexes too, also where it is not itself wanted.
    if (index <= this.lastIndex) this.#rewind(index);
    if (index > start) this.lastIndex = index;
    else this.#termAtStart = index === start ? term : undefined;
  }

  /**
   * Trap: a snapshot that the leader sent replaces the whole log, one that the member made of its own
   * state nothing. It came from the leader if the log did not hold its last entry.
   */
  #takeSnapshot(data: Buffer, position: RecordPosition): void {
    const { index, term } = decodeSnapshotRecord(data);
    const { index: start, term: startTerm } = this.#start;
    if (index !== start) return;
    if (startTerm !== undefined && term !== startTerm) {
      throw faultAt(position, 'snapshot-mismatch', 'wal: snapshot mismatch');
    }
    this.snapshotFound = true;
    if (this.#termAtStart !== term) this.#rewind(start);
    this.#termAtStart = term;
  }

  /** Forgets what the log holds at `index` and above, as far as it is wanted. */
  #rewind(index: number): void {
    if (this.lastIndex === this.#start.index) return;
    // What an earlier rewind to the same place or above it took away, this one takes away too.
    while ((this.rewinds.at(-1)?.index ?? -1) >= index) this.rewinds.pop();
    this.rewinds.push({ record: this.records, index });
    this.lastIndex = Math.max(this.#start.index, index - 1);
  }
}

function faultAt(position: RecordPosition, fault: WalError['fault'], message: string): WalError {
  return new WalError(fault, message, { file: position.segment.name, offset: position.offset });
}
