import { join } from 'node:path';
import { crc32c } from '../../base/crc32c.js';
import type { Fs } from '../../platform/fs.js';
import { DecodeError } from '../../proto/decode-error.js';
import { decodeRecord, type RecordFields } from '../../proto/hot/record.js';
import { isTorn, LENGTH_FIELD_BYTES } from './frame.js';
import { RecordType } from './record-types.js';
import { SegmentDecoder } from './segment-decoder.js';
import type { SegmentName } from './segment-name.js';
import { isWalFault, WalError } from './wal-error.js';

/** Where a record stands. */
export interface RecordPosition {
  readonly segment: SegmentName;
  /** Offset of its length field in the segment, bytes. */
  readonly offset: number;
}

/**
 * Takes one record whose CRC is right; crc records come too. `data` aliases the chunk that was read.
 * A DecodeError that it throws is reported as the fault of this record. Reading waits for a promise
 * that it returns.
 */
export type RecordVisitor = (
  record: RecordFields,
  position: RecordPosition,
) => void | Promise<void>;

/** What reading asks of a file system. */
export type SegmentFiles = Pick<Fs, 'open'>;

/** How far reading came. */
export interface WalEnd {
  /** Set if the log stops within a record, as it does after a power loss. */
  readonly torn: WalError | undefined;
  readonly segment: SegmentName;
  /** Length of the segment, bytes. */
  readonly fileBytes: number;
  /** End of the last valid record in the segment, bytes. */
  readonly offset: number;
  /** Running CRC up to there. */
  readonly crc: number;
}

/**
 * Reads the records of `segments`, in order, and checks the CRC chain through them (reference:
 * formats 1.5, 1.7). Memory in use is one chunk plus what the visitor keeps.
 *
 * @throws {WalError} crc-mismatch, undecodable, and what the visitor throws
 */
export async function readRecords(
  fs: SegmentFiles,
  directory: string,
  segments: readonly SegmentName[],
  visit: RecordVisitor,
): Promise<WalEnd> {
  const last = segments.at(-1);
  if (last === undefined) throw new WalError('file-not-found', 'wal: file not found');
  let crc = 0;
  for (const segment of segments) {
    const end = await readSegment(fs, directory, segment, crc, segment === last, visit);
    if (segment === last || end.torn !== undefined) return end;
    crc = end.crc;
  }
  throw new WalError('file-not-found', 'wal: file not found');
}

async function readSegment(
  fs: SegmentFiles,
  directory: string,
  segment: SegmentName,
  startCrc: number,
  isLast: boolean,
  visit: RecordVisitor,
): Promise<WalEnd> {
  const handle = await fs.open(join(directory, segment.name), { read: true });
  try {
    const fileBytes = await handle.size();
    const decoder = new SegmentDecoder(handle, segment.name, fileBytes);
    const checker = new RecordChecker(decoder, segment, isLast, startCrc);
    let torn: WalError | undefined;
    try {
      for (let status = decoder.next(); status !== 'end'; status = decoder.next()) {
        if (status === 'more') {
          await decoder.fill();
          continue;
        }
        const waiting = checker.take(visit);
        if (waiting !== undefined) await waiting;
      }
    } catch (error) {
      if (!(error instanceof WalError) || !isWalFault(error, 'unexpected-eof')) throw error;
      torn = error;
    }
    return { torn, segment, fileBytes, offset: decoder.offset, crc: checker.crc };
  } finally {
    await handle.close();
  }
}

/** Checks the contents of one segment's frames. */
class RecordChecker {
  readonly #decoder: SegmentDecoder;
  readonly #segment: SegmentName;
  readonly #isLast: boolean;
  #crc: number;

  constructor(decoder: SegmentDecoder, segment: SegmentName, isLast: boolean, crc: number) {
    this.#decoder = decoder;
    this.#segment = segment;
    this.#isLast = isLast;
    this.#crc = crc;
  }

  get crc(): number {
    return this.#crc;
  }

  /** Checks the decoder's current frame, shows it to `visit` and accepts it. */
  take(visit: RecordVisitor): void | Promise<void> {
    const record = this.#decode();
    const crc = this.#check(record);
    const { offset } = this.#decoder;
    this.#decoder.accept();
    this.#crc = crc;
    try {
      return visit(record, { segment: this.#segment, offset });
    } catch (error) {
      throw error instanceof DecodeError ? this.#undecodable(error, offset) : error;
    }
  }

  #decode(): RecordFields {
    try {
      return decodeRecord(this.#decoder.record());
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#throwIfTorn();
      throw this.#undecodable(error, this.#decoder.offset);
    }
  }

  /** The running CRC after `record`. */
  #check(record: RecordFields): number {
    const { name } = this.#segment;
    const { offset } = this.#decoder;
    if (record.type === RecordType.Crc) {
      // A reader that starts at a later segment has no running value to compare with.
      if (this.#crc !== 0 && record.crc !== this.#crc) {
        throw new WalError('crc-mismatch', 'walpb: crc mismatch', { file: name, offset });
      }
      return record.crc;
    }
    const computed = crc32c(record.data, this.#crc);
    if (record.crc === computed) return computed;
    this.#throwIfTorn();
    throw new WalError(
      'crc-mismatch',
      `walpb: crc mismatch: expected: ${record.crc.toString(16)} ` +
        `computed: ${computed.toString(16)}: in file '${name}' at position: ${offset}`,
      { file: name, offset },
    );
  }

  #throwIfTorn(): void {
    const { offset } = this.#decoder;
    const fileOffset = offset + LENGTH_FIELD_BYTES;
    if (this.#isLast && isTorn(this.#decoder.recordAndPadding(), fileOffset)) {
      throw new WalError('unexpected-eof', 'unexpected EOF', { file: this.#segment.name, offset });
    }
  }

  #undecodable(error: DecodeError, offset: number): WalError {
    const { name } = this.#segment;
    return new WalError(
      'undecodable',
      `wal: cannot decode record: ${error.reason}: in file '${name}' at position: ${offset}`,
      { file: name, offset, cause: error },
    );
  }
}
