const TWO_POW_32 = 0x1_0000_0000;
const WORD_BYTES = 8;

/** Bytes that came in pieces, to be taken in other pieces. Nothing is copied unless pieces join. */
export class ByteQueue {
  readonly #chunks: Buffer[] = [];
  /** Bytes of the first chunk that have been taken. */
  #offset = 0;
  #length = 0;
  #taken = 0;

  /** Bytes that can be taken. */
  get length(): number {
    return this.#length;
  }

  /** Bytes taken since the beginning. */
  get taken(): number {
    return this.#taken;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next byte; undefined: there is none yet. */
  takeByte(): number | undefined {
    const byte = this.#chunks[0]?.[this.#offset];
    if (byte !== undefined) this.#skip(1);
    return byte;
  }

  /** A big-endian 64-bit number; what is not a safe integer only keeps its order of magnitude. */
  takeNumber(): number | undefined {
    const first = this.#chunks[0];
    if (first === undefined || this.#length < WORD_BYTES) return undefined;
    const start = this.#offset;
    if (first.length - start >= WORD_BYTES) {
      this.#skip(WORD_BYTES);
      return numberAt(first, start);
    }
    const joined = this.take(WORD_BYTES);
    return joined === undefined ? undefined : numberAt(joined, 0);
  }

  /** The next `count` bytes, aliasing what was pushed if they came in one piece. */
  take(count: number): Buffer | undefined {
    if (count > this.#length) return undefined;
    const first = this.#chunks[0];
    if (first !== undefined && first.length - this.#offset >= count) {
      const bytes = first.subarray(this.#offset, this.#offset + count);
      this.#skip(count);
      return bytes;
    }
    const joined = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) filled += this.#copyFirst(joined, filled);
    return joined;
  }

  /** All that is left, in the pieces it came in. */
  takeAll(): Buffer[] {
    const rest = this.#chunks.splice(0);
    if (rest[0] !== undefined) rest[0] = rest[0].subarray(this.#offset);
    this.#taken += this.#length;
    this.#length = 0;
    this.#offset = 0;
    return rest;
  }

  #copyFirst(target: Buffer, at: number): number {
    const first = this.#chunks[0];
    if (first === undefined) throw new RangeError('fewer bytes than were counted');
    const copied = first.copy(target, at, this.#offset);
    this.#skip(copied);
    return copied;
  }

  /** Steps over bytes of the first chunk. */
  #skip(count: number): void {
    this.#offset += count;
    this.#length -= count;
    this.#taken += count;
    if (this.#offset === this.#chunks[0]?.length) {
      this.#chunks.shift();
      this.#offset = 0;
    }
  }
}

function numberAt(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * TWO_POW_32 + bytes.readUInt32BE(offset + 4);
}
