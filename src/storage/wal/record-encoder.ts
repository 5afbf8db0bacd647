import { EMPTY_BYTES } from '../../base/bytes.js';
import { crc32cRange } from '../../base/crc32c.js';
import { type EntryFields, encodeEntryInto, entryEncodedSize } from '../../proto/hot/entry.js';
import { varintSize, writeBigintVarint, writeVarint } from '../../proto/wire/varint.js';
import { LENGTH_FIELD_BYTES, paddingOf, writeLengthField } from './frame.js';
import { type HardState, hardStateBytes, RecordType } from './record-types.js';

const INITIAL_CAPACITY = 64 * 1024;
/** A buffer that one large batch made bigger than this is given back afterwards. */
const MAX_IDLE_CAPACITY = 4 * 1024 * 1024;

const TYPE_TAG = 0x08;
const CRC_TAG = 0x10;
const DATA_TAG = 0x1a;
const TYPE_FIELD_BYTES = 2;
/** The crc field at its longest; most CRCs need all of it. */
const MAX_CRC_FIELD_BYTES = 6;
const MAX_PADDING = 7;

/**
 * Encodes framed records of a whole batch into one buffer that is used again for the next, and
 * carries the running CRC (reference: formats 1.3 to 1.5).
 */
export class RecordEncoder {
  #buffer = Buffer.allocUnsafe(INITIAL_CAPACITY);
  #length = 0;
  #crc: number;

  /** `crc` is the running CRC of the log so far. */
  constructor(crc = 0) {
    this.#crc = crc;
  }

  /** Running CRC over the data of all records so far. */
  get crc(): number {
    return this.#crc;
  }

  /** Bytes encoded and not yet cleared. */
  get length(): number {
    return this.#length;
  }

  /** What was encoded; valid until the next record or {@link clear}. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > MAX_IDLE_CAPACITY) {
      this.#buffer = Buffer.allocUnsafe(INITIAL_CAPACITY);
    }
  }

  /** The record that heads a segment: the running CRC, and no data. */
  crcRecord(): void {
    this.record(RecordType.Crc, EMPTY_BYTES);
  }

  record(type: number, data: Uint8Array): void {
    const at = this.#reserve(data.length);
    this.#buffer.set(data, at);
    this.#finish(type, at, data.length);
  }

  entry(entry: EntryFields): void {
    const size = entryEncodedSize(entry);
    const at = this.#reserve(size);
    encodeEntryInto(this.#buffer, at, entry);
    this.#finish(RecordType.Entry, at, size);
  }

  state(state: HardState): void {
    const size = hardStateBytes(state);
    const start = this.#reserve(size);
    let at = start;
    this.#buffer[at++] = 0x08;
    at = writeVarint(this.#buffer, at, state.term);
    this.#buffer[at++] = 0x10;
    at = writeBigintVarint(this.#buffer, at, state.vote);
    this.#buffer[at++] = 0x18;
    writeVarint(this.#buffer, at, state.commit);
    this.#finish(RecordType.State, start, size);
  }

  /**
   * Makes room for a record with `size` bytes of data and returns where the data goes. The CRC
   * stands before the data and is known after it, so that the place assumes the longest CRC.
   */
  #reserve(size: number): number {
    const head = LENGTH_FIELD_BYTES + TYPE_FIELD_BYTES + MAX_CRC_FIELD_BYTES + dataHeadBytes(size);
    const needed = this.#length + head + size + MAX_PADDING;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    return this.#length + head;
  }

  /** Frames the data of `size` bytes that was put at `dataAt`. */
  #finish(type: number, dataAt: number, size: number): void {
    const buffer = this.#buffer;
    this.#crc = crc32cRange(buffer, dataAt, dataAt + size, this.#crc);
    const recordAt = this.#length + LENGTH_FIELD_BYTES;
    buffer[recordAt] = TYPE_TAG;
    buffer[recordAt + 1] = type;
    buffer[recordAt + 2] = CRC_TAG;
    let at = writeVarint(buffer, recordAt + 3, this.#crc);
    const head = dataHeadBytes(size);
    if (at + head < dataAt) buffer.copyWithin(at + head, dataAt, dataAt + size);
    if (size > 0) {
      buffer[at] = DATA_TAG;
      at = writeVarint(buffer, at + 1, size) + size;
    }
    writeLengthField(buffer, this.#length, at - recordAt);
    const end = at + paddingOf(at - recordAt);
    buffer.fill(0, at, end);
    this.#length = end;
  }
}

/** Bytes of the tag and length before `size` bytes of data; records without data have neither. */
function dataHeadBytes(size: number): number {
  return size === 0 ? 0 : 1 + varintSize(size);
}
