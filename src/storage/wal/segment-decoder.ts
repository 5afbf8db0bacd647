import { EMPTY_BYTES } from '../../base/bytes.js';
import type { FileHandle } from '../../platform/fs.js';
import { isEndMark, LENGTH_FIELD_BYTES, padBytesAt, recordBytesAt } from './frame.js';
import { WalError } from './wal-error.js';

/** How much of a segment is read at a time; a longer record is read whole. */
const CHUNK_BYTES = 1024 * 1024;

/** Cuts one segment into frames, reading ahead in chunks. It checks lengths, not contents. */
export class SegmentDecoder {
  readonly #handle: FileHandle;
  readonly #name: string;
  /** Length of the file, bytes, as far as it is known. */
  #size: number;
  #chunk: Buffer = EMPTY_BYTES;
  /** Offset of the chunk in the file. */
  #chunkStart: number;
  #offset: number;
  #recordBytes = 0;
  #padBytes = 0;

  /** `size` is the length of the file, `offset` where its first frame begins, bytes. */
  constructor(handle: FileHandle, name: string, size: number, offset = 0) {
    this.#handle = handle;
    this.#name = name;
    this.#size = size;
    this.#offset = offset;
    this.#chunkStart = offset;
  }

  /** Where the current frame begins: the end of the last one that was accepted. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Looks at the next frame: `frame` if it is there, `more` if {@link fill} is needed first, `end`
   * at the end of used space. Never waits, so that many frames cost one read of the disk.
   *
   * @throws {WalError} unexpected-eof if the file ends within the frame
   */
  next(): 'frame' | 'more' | 'end' {
    const left = this.#size - this.#offset;
    if (left === 0) return 'end';
    if (left < LENGTH_FIELD_BYTES) throw this.#unexpectedEof('unexpected EOF');
    const at = this.#offset - this.#chunkStart;
    if (this.#chunk.length - at < LENGTH_FIELD_BYTES) {
      this.#recordBytes = 0;
      this.#padBytes = 0;
      return 'more';
    }
    if (isEndMark(this.#chunk, at)) return 'end';
    this.#recordBytes = recordBytesAt(this.#chunk, at);
    this.#padBytes = padBytesAt(this.#chunk, at);
    this.#checkLength(left);
    return this.#chunk.length - at < this.#frameBytes() ? 'more' : 'frame';
  }

  /**
   * Reads the chunk that begins with the current frame and holds at least all of it.
   *
   * Trap: a running member cuts the unused tail off a segment when it begins the next one. Who reads
   * meanwhile must take the file for as long as it now is; {@link next} tells what that leaves of the
   * frame.
   */
  async fill(): Promise<void> {
    const want = Math.max(CHUNK_BYTES, this.#frameBytes());
    const length = Math.min(want, this.#size - this.#offset);
    this.#chunk = await this.#handle.read(this.#offset, length);
    this.#chunkStart = this.#offset;
    if (this.#chunk.length < length) this.#size = this.#offset + this.#chunk.length;
  }

  /** The record of the current frame, aliasing the chunk, which is never used again for another. */
  record(): Buffer {
    const start = this.#offset - this.#chunkStart + LENGTH_FIELD_BYTES;
    return this.#chunk.subarray(start, start + this.#recordBytes);
  }

  /** The record of the current frame with its padding. */
  recordAndPadding(): Buffer {
    const start = this.#offset - this.#chunkStart + LENGTH_FIELD_BYTES;
    return this.#chunk.subarray(start, start + this.#recordBytes + this.#padBytes);
  }

  /** Accepts the current frame and moves behind it. */
  accept(): void {
    this.#offset += this.#frameBytes();
  }

  #frameBytes(): number {
    return LENGTH_FIELD_BYTES + this.#recordBytes + this.#padBytes;
  }

  #checkLength(left: number): void {
    const limit = left - this.#padBytes;
    if (this.#recordBytes > limit) {
      throw this.#unexpectedEof(
        `unexpected EOF: [wal] max entry size limit exceeded when reading "${this.#name}", ` +
          `recBytes: ${this.#recordBytes}, fileSize(${this.#size}) - offset(${this.#offset}) - ` +
          `padBytes(${this.#padBytes}) = entryLimit(${limit})`,
      );
    }
    if (this.#frameBytes() > left) throw this.#unexpectedEof('unexpected EOF');
  }

  #unexpectedEof(message: string): WalError {
    return new WalError('unexpected-eof', message, { file: this.#name, offset: this.#offset });
  }
}
