import { EMPTY_BYTES } from '../../base/bytes.js';

/** Frames share memory in pieces of this size; a longer one gets memory of its own. */
const SLAB_BYTES = 64 * 1024;
const TWO_POW_32 = 0x1_0000_0000;

/**
 * Collects frames to be written together, in as few buffers as possible. Memory that was handed out
 * is never written again.
 */
export class FrameBatch {
  /** Where to write what was claimed last. */
  buffer = EMPTY_BYTES;
  #start = 0;
  #end = 0;
  #bytes = 0;
  #parts: Buffer[] = [];

  /** Bytes claimed since the last {@link take}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes room for `count` bytes; returns their offset in {@link buffer}. All must be written. */
  claim(count: number): number {
    if (this.buffer.length - this.#end < count) {
      this.#closePart();
      this.buffer = Buffer.allocUnsafeSlow(Math.max(count, SLAB_BYTES));
      this.#start = 0;
      this.#end = 0;
    }
    const offset = this.#end;
    this.#end += count;
    this.#bytes += count;
    return offset;
  }

  /** What was written since the last time. */
  take(): Buffer[] {
    this.#closePart();
    const parts = this.#parts;
    this.#parts = [];
    this.#bytes = 0;
    return parts;
  }

  #closePart(): void {
    if (this.#end > this.#start) this.#parts.push(this.buffer.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}

/** Writes a big-endian 64-bit number; returns the offset behind it. */
export function writeNumber(buffer: Buffer, offset: number, value: number): number {
  buffer.writeUInt32BE(Math.floor(value / TWO_POW_32), offset);
  return buffer.writeUInt32BE(value % TWO_POW_32, offset + 4);
}
