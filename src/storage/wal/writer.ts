import { join } from 'node:path';
import { formatGoMillis } from '../../base/go-format.js';
import { type Logger, silentLogger } from '../../base/logger.js';
import { type Gauge, type Histogram, silentGauge, silentHistogram } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import type { FileHandle, Fs, WriteOptions } from '../../platform/fs.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import { createWalDirectory } from './create.js';
import { NextSegment } from './next-segment.js';
import type { WalTail } from './reader.js';
import { RecordEncoder } from './record-encoder.js';
import {
  EMPTY_HARD_STATE,
  encodeSnapshotRecord,
  type HardState,
  isEmptyHardState,
  RecordType,
  type SnapshotRecord,
} from './record-types.js';
import { type SegmentName, segmentName } from './segment-name.js';
import { WalError } from './wal-error.js';

/** Length at which a segment is cut, bytes: 64,000,000, not 64 MiB (reference: formats 1.1). */
export const SEGMENT_BYTES = 64_000_000;
/** Records that need no sync wait in memory up to this many bytes. */
const MAX_UNWRITTEN_BYTES = 128 * 1024;
/** A write to disk that takes longer is worth a warning. */
const SLOW_SYNC_MILLIS = 1_000;

export interface WalWriterOptions {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Default {@link SEGMENT_BYTES}. */
  readonly segmentBytes?: number;
  /** Never waits for the disk: a power loss may then cost acknowledged writes. Default false. */
  readonly unsafeNoFsync?: boolean;
  readonly metrics?: WalMetrics;
}

export interface WalMetrics {
  /** Seconds of each durable write: etcd_disk_wal_fsync_duration_seconds. */
  readonly syncSeconds: Histogram;
  /** Bytes of frames written: etcd_disk_wal_write_bytes_total, which is a gauge. */
  readonly writtenBytes: Gauge;
}

/**
 * Appends to a log in etcd's format.
 *
 * Calls take effect in the order in which they were made, one at a time. Whoever wants many
 * entries for the price of one sync collects them while `save` runs and passes them to the next.
 *
 * After a write, sync or cut has failed nobody knows what the disk holds, so that every later call
 * rejects with the first error. Trying again is not safe: a second fdatasync may well report
 * success over pages that the first one lost.
 */
export class WalWriter {
  readonly #fs: Fs;
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #segmentBytes: number;
  readonly #isSafe: boolean;
  readonly #metrics: WalMetrics;
  readonly #metadata: Buffer;
  readonly #encoder: RecordEncoder;
  readonly #next: NextSegment;
  /** Segments that may still be needed for replay, oldest first; the last is written to. */
  #held: SegmentName[];
  #file: FileHandle;
  /** End of what was written to the current segment, bytes. */
  #offset: number;
  #lastIndex: number;
  /** The state saved last. Not taken over from what was read, so that the first save syncs. */
  #savedState: HardState = EMPTY_HARD_STATE;
  #queue: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    fs: Fs,
    directory: string,
    tail: WalTail,
    file: FileHandle,
    options: WalWriterOptions,
  ) {
    this.#fs = fs;
    this.#directory = directory;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#isSafe = !options.unsafeNoFsync;
    this.#metrics = options.metrics ?? {
      syncSeconds: silentHistogram,
      writtenBytes: silentGauge,
    };
    this.#metadata = tail.metadata;
    this.#encoder = new RecordEncoder(tail.crc);
    this.#next = new NextSegment(fs, directory, {
      segmentBytes: this.#segmentBytes,
      durableWrites: this.#isSafe,
    });
    this.#held = [...tail.segments];
    this.#file = file;
    this.#offset = tail.offset;
    this.#lastIndex = tail.lastIndex;
    this.#next.prepare();
  }

  /**
   * Makes a new log with a first segment that holds `metadata` and the snapshot record (0, 0).
   * Whatever else was in the directory is removed.
   *
   * @throws {WalError} file-exists if the directory holds a segment
   */
  static async create(
    fs: Fs,
    directory: string,
    metadata: Buffer,
    options: WalWriterOptions,
  ): Promise<WalWriter> {
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    const { clock } = options;
    const tail = await createWalDirectory(fs, directory, { metadata, segmentBytes, clock });
    const file = await openSegment(fs, directory, tail, options);
    return new WalWriter(fs, directory, tail, file, options);
  }

  /**
   * Goes on after what was read. Bytes behind the last valid record, left by a write that never
   * finished, are cut away first so that they cannot follow a new record.
   *
   * @throws {WalError} write-failed
   */
  static async resume(
    fs: Fs,
    directory: string,
    tail: WalTail,
    options: WalWriterOptions,
  ): Promise<WalWriter> {
    const file = await openSegment(fs, directory, tail, options);
    try {
      await file.truncate(tail.offset);
      await file.truncate(tail.fileBytes);
      await file.datasync();
    } catch (error) {
      await file.close();
      throw writeFailed(error, tail.segments.at(-1)?.name);
    }
    return new WalWriter(fs, directory, tail, file, options);
  }

  /**
   * Appends entries, then the state, and resolves once they are as durable as Raft needs: entries, a
   * new term and a new vote are on disk; a commit index that moved alone may wait in memory
   * (reference: formats 1.6). An undefined or empty state, and no entries, write nothing.
   *
   * @throws {WalError} the first failure of this writer
   */
  save(
    hardState: HardState | undefined,
    entries: readonly EntryFields[],
    options?: WriteOptions,
  ): Promise<void> {
    return this.#inTurn(() => this.#save(hardState ?? EMPTY_HARD_STATE, entries, options));
  }

  /**
   * Notes that the state up to a snapshot is safe; durable when it resolves.
   *
   * @throws {WalError} snapshot-without-conf-state, or the first failure of this writer
   */
  async saveSnapshot(snapshot: SnapshotRecord): Promise<void> {
    if (snapshot.index > 0 && snapshot.confState === undefined) {
      const { index, term } = snapshot;
      throw new WalError(
        'snapshot-without-conf-state',
        `Saved (not-initial) snapshot is missing ConfState: index:${index} term:${term}`,
      );
    }
    const data = encodeSnapshotRecord(snapshot);
    await this.#inTurn(() => {
      this.#throwIfFailed();
      this.#encoder.record(RecordType.Snapshot, data);
      this.#lastIndex = Math.max(this.#lastIndex, snapshot.index);
      return this.#write();
    });
  }

  /** Makes all that was saved durable, commit indexes too. @throws {WalError} the first failure */
  sync(): Promise<void> {
    return this.#inTurn(() => this.#write());
  }

  /**
   * Gives up the segments that replay after a snapshot at `index` does not need: all before the one
   * just below the first whose name index reaches it (reference: formats 1.9).
   */
  releaseTo(index: number): void {
    const found = this.#held.findIndex((segment) => segment.index >= index);
    const keepFrom = found < 0 ? this.#held.length - 1 : Math.max(0, found - 1);
    this.#held = this.#held.slice(keepFrom);
  }

  /** Whether a segment of this name is still needed; others may be purged. */
  holds(name: string): boolean {
    return this.#held.some((segment) => segment.name === name);
  }

  /** Names of the segments that are still needed, oldest first. */
  get heldSegments(): string[] {
    return this.#held.map((segment) => segment.name);
  }

  /**
   * Makes all durable and closes the files; calling it again gives the same promise. The files are
   * closed even if it rejects.
   *
   * @throws {WalError} the first failure of this writer
   */
  close(): Promise<void> {
    this.#closing ??= this.#inTurn(() => this.#finish());
    return this.#closing;
  }

  #inTurn(operation: () => Promise<void>): Promise<void> {
    const result = this.#queue.then(async () => {
      try {
        await operation();
      } catch (error) {
        this.#failure ??= writeFailed(error, this.#current.name);
        throw this.#failure;
      }
    });
    this.#queue = result.catch(() => {});
    return result;
  }

  async #finish(): Promise<void> {
    try {
      await this.#write();
    } catch (error) {
      // What is told of must be this, not that the writer is closed from now on.
      this.#failure ??= writeFailed(error, this.#current.name);
      throw error;
    } finally {
      this.#failure ??= new WalError('closed', 'wal: closed', { file: this.#directory });
      await this.#next.discard();
      await this.#file.close();
    }
  }

  async #save(
    state: HardState,
    entries: readonly EntryFields[],
    options: WriteOptions | undefined,
  ): Promise<void> {
    this.#throwIfFailed();
    const isEmpty = isEmptyHardState(state);
    if (isEmpty && entries.length === 0) return;
    const saved = this.#savedState;
    const mustSync = entries.length > 0 || state.vote !== saved.vote || state.term !== saved.term;
    for (const entry of entries) {
      this.#encoder.entry(entry);
      this.#lastIndex = entry.index;
    }
    if (!isEmpty) {
      this.#encoder.state(state);
      this.#savedState = state;
    }
    if (mustSync || this.#encoder.length > MAX_UNWRITTEN_BYTES) await this.#write(options);
    if (this.#offset >= this.#segmentBytes) await this.#cut();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  get #current(): SegmentName {
    const current = this.#held.at(-1);
    if (current === undefined) throw new Error('a writer always holds a segment');
    return current;
  }

  /** Writes what is encoded; the file was opened so that this makes it durable. */
  async #write(options?: WriteOptions): Promise<void> {
    this.#throwIfFailed();
    const bytes = this.#encoder.bytes();
    if (bytes.length === 0) return;
    const started = this.#clock.monotonicMillis();
    await this.#file.write([bytes], this.#offset, options);
    this.#offset += bytes.length;
    this.#metrics.writtenBytes.inc(bytes.length);
    this.#encoder.clear();
    if (this.#isSafe) this.#observeSync(this.#clock.monotonicMillis() - started);
  }

  #observeSync(millis: number): void {
    this.#metrics.syncSeconds.observe(millis / 1000);
    if (millis > SLOW_SYNC_MILLIS) {
      this.#logger.warn('slow fdatasync', {
        took: formatGoMillis(millis),
        'expected-duration': '1s',
      });
    }
  }

  /** Ends the current segment and goes on in the prepared one (reference: formats 1.2). */
  async #cut(): Promise<void> {
    const old = this.#file;
    await this.#write();
    await old.truncate(this.#offset);
    if (this.#isSafe) await old.datasync();
    const { file, path } = await this.#next.take();
    const segment = segmentName(this.#current.sequence + 1, this.#lastIndex + 1);
    this.#file = file;
    this.#offset = 0;
    await old.close();
    this.#encoder.crcRecord();
    this.#encoder.record(RecordType.Metadata, this.#metadata);
    if (!isEmptyHardState(this.#savedState)) this.#encoder.state(this.#savedState);
    await this.#write();
    await this.#fs.rename(path, join(this.#directory, segment.name));
    await this.#fs.syncDirectory(this.#directory);
    this.#held.push(segment);
    this.#next.prepare();
    this.#logger.info('created a new WAL segment', {
      path: join(this.#directory, segment.name),
    });
  }
}

async function openSegment(
  fs: Fs,
  directory: string,
  tail: WalTail,
  options: WalWriterOptions,
): Promise<FileHandle> {
  const segment = tail.segments.at(-1);
  if (segment === undefined) throw new WalError('file-not-found', 'wal: file not found');
  return fs.open(join(directory, segment.name), {
    read: true,
    write: true,
    durableWrites: !options.unsafeNoFsync,
  });
}

function writeFailed(error: unknown, file: string | undefined): Error {
  if (error instanceof WalError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new WalError('write-failed', `wal: write failed: ${reason}`, { file, cause: error });
}
