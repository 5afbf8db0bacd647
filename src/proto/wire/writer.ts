import { EMPTY_BYTES } from '../../base/bytes.js';
import { writeBigintVarint, writeVarint } from './varint.js';

/** Room of the first allocation, in bytes. */
const INITIAL_CAPACITY = 128;
const MAX_VARINT_BYTES = 10;

/**
 * Writes protobuf into a buffer that grows. Submessages are written in place behind one byte kept
 * for their length, and moved only if the length takes more.
 */
export class BinaryWriter {
  private buffer: Buffer = EMPTY_BYTES;
  private pos = 0;
  private readonly forks: number[] = [];

  /** @param capacity bytes that there will be, if that is known: then nothing is moved */
  constructor(capacity = 0) {
    if (capacity > 0) this.buffer = Buffer.allocUnsafe(capacity);
  }

  /** What was written. It shares the writer's memory: write nothing more. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.pos);
  }

  /** Begins a length-prefixed part; {@link join} ends it. */
  fork(): this {
    this.reserve(1);
    this.pos += 1;
    this.forks.push(this.pos);
    return this;
  }

  /** Ends the part begun last. */
  join(): this {
    const start = this.forks.pop();
    if (start === undefined) {
      throw new RangeError('join without fork');
    }
    const length = this.pos - start;
    if (length < 0x80) {
      this.buffer[start - 1] = length;
      return this;
    }
    this.reserve(MAX_VARINT_BYTES);
    const prefix = Buffer.allocUnsafe(MAX_VARINT_BYTES);
    const prefixBytes = writeVarint(prefix, 0, length);
    this.buffer.copyWithin(start - 1 + prefixBytes, start, this.pos);
    prefix.copy(this.buffer, start - 1, 0, prefixBytes);
    this.pos += prefixBytes - 1;
    return this;
  }

  /** A tag or an unsigned 32-bit number. */
  uint32(value: number): this {
    return this.number(value);
  }

  int32(value: number): this {
    return this.number(value);
  }

  bool(value: boolean): this {
    return this.number(value ? 1 : 0);
  }

  /** @throws RangeError if the value does not fit */
  int64(value: number | bigint): this {
    if (typeof value === 'number') {
      return this.number(value);
    }
    if (BigInt.asIntN(64, value) !== value) {
      throw new RangeError(`not an int64: ${value}`);
    }
    return this.bigint(value);
  }

  /** @throws RangeError if the value does not fit */
  uint64(value: number | bigint): this {
    if (value < 0) {
      throw new RangeError(`not a uint64: ${value}`);
    }
    return typeof value === 'number' ? this.number(value) : this.bigint(value);
  }

  bytes(value: Uint8Array): this {
    this.number(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.pos);
    this.pos += value.length;
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value, 'utf8');
    this.number(length);
    this.reserve(length);
    this.buffer.write(value, this.pos, 'utf8');
    this.pos += length;
    return this;
  }

  private number(value: number): this {
    this.reserve(MAX_VARINT_BYTES);
    this.pos = writeVarint(this.buffer, this.pos, value);
    return this;
  }

  private bigint(value: bigint): this {
    this.reserve(MAX_VARINT_BYTES);
    this.pos = writeBigintVarint(this.buffer, this.pos, value);
    return this;
  }

  private reserve(bytes: number): void {
    const needed = this.pos + bytes;
    if (needed <= this.buffer.length) {
      return;
    }
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2, INITIAL_CAPACITY));
    this.buffer.copy(grown, 0, 0, this.pos);
    this.buffer = grown;
  }
}
