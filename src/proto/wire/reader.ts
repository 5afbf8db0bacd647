import { isUtf8 } from 'node:buffer';
import { asBuffer } from '../../base/bytes.js';
import { DecodeError } from '../decode-error.js';

/**
 * How deep messages may nest. Only transactions nest at all, two levels each, and the operation
 * limit of a transaction (128 by default) bounds them long before this does; the limit keeps a
 * hostile message from exhausting the stack.
 */
export const MAX_MESSAGE_DEPTH = 1000;

const MAX_FIELD_NUMBER = 0x1fff_ffff;
const TWO_POW_32 = 0x1_0000_0000;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * Reads protobuf from a buffer, strictly: it never reads past the message it is in, and whatever is
 * malformed (truncated, a varint over 64 bits, field number 0, wire type 6 or 7, an end of a group
 * that never began, a submessage reaching beyond its parent) throws a {@link DecodeError}.
 *
 * Bytes fields alias the input. After an error the reader is of no further use.
 */
export class BinaryReader {
  readonly buf: Buffer;
  /** Offset of the next byte. */
  pos = 0;
  /** End of the message being read. */
  len: number;
  /** Whether some bytes or string field was there but empty; canonical encoders leave it out. */
  sawEmptyBytes = false;
  private depth = 0;
  private low = 0;
  private high = 0;

  constructor(input: Uint8Array) {
    this.buf = asBuffer(input);
    this.len = input.length;
  }

  /** A DecodeError at the current offset. */
  fail(reason: string): DecodeError {
    return new DecodeError(reason, this.pos);
  }

  /**
   * Enters a message of `length` bytes (undefined: all that is left) and returns its end. The caller
   * remembers {@link len} and gives it back to {@link leave}.
   */
  enter(length?: number): number {
    if (this.depth >= MAX_MESSAGE_DEPTH) {
      throw this.fail('message nested too deeply');
    }
    const end = length === undefined ? this.len : this.pos + length;
    if (end > this.len) {
      throw this.fail('truncated message');
    }
    this.depth += 1;
    this.len = end;
    return end;
  }

  /** Leaves the message entered last; `outerEnd` is the end of the one around it. */
  leave(outerEnd: number): void {
    this.depth -= 1;
    this.len = outerEnd;
  }

  /** Reads a field's tag: field number << 3 | wire type. */
  tag(): number {
    const byte = this.buf[this.pos];
    if (byte !== undefined && byte < 0x80 && byte > 7 && (byte & 7) < 6 && this.pos < this.len) {
      this.pos += 1;
      return byte;
    }
    const start = this.pos;
    this.varint();
    if (this.high !== 0 || this.low >>> 3 === 0 || this.low >>> 3 > MAX_FIELD_NUMBER) {
      throw new DecodeError('illegal field number', start);
    }
    if ((this.low & 7) > 5) {
      throw new DecodeError(`illegal wire type ${this.low & 7}`, start);
    }
    return this.low >>> 0;
  }

  /** Skips the value of a field nobody knows. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.advance(8);
        return;
      case 2:
        this.advance(this.lengthPrefix());
        return;
      case 3:
        this.skipGroup(tag >>> 3);
        return;
      case 5:
        this.advance(4);
        return;
      default:
        throw this.fail('end of a group that never began');
    }
  }

  /** Reads the length of a submessage, bytes or string; it fits into what is left. */
  lengthPrefix(): number {
    this.varint();
    const length = this.high * TWO_POW_32 + this.low;
    if (length > this.len - this.pos) {
      throw this.fail('truncated field');
    }
    return length;
  }

  /** Low 32 bits of a varint, unsigned. */
  uint32(): number {
    this.varint();
    return this.low;
  }

  /** Low 32 bits of a varint, signed. */
  int32(): number {
    this.varint();
    return this.low | 0;
  }

  /** An enum value. Numbers the enum does not name pass: handlers decide what to do with them. */
  enumeration<T extends number>(): T {
    return this.int32() as T;
  }

  bool(): boolean {
    this.varint();
    return this.low !== 0 || this.high !== 0;
  }

  int64(): bigint {
    this.varint();
    scratch.setUint32(0, this.high);
    scratch.setUint32(4, this.low);
    return scratch.getBigInt64(0);
  }

  uint64(): bigint {
    this.varint();
    scratch.setUint32(0, this.high);
    scratch.setUint32(4, this.low);
    return scratch.getBigUint64(0);
  }

  /**
   * An int64 as a number, saturated to ±{@link Number.MAX_SAFE_INTEGER}. Clients send the largest
   * int64 as "no bound"; no revision, count or TTL of a real cluster comes near 2^53, so saturated
   * values compare with real ones as the true ones would.
   */
  int64Saturated(): number {
    this.varint();
    const value = (this.high | 0) * TWO_POW_32 + this.low;
    return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
  }

  /** A uint64 as a number, saturated to {@link Number.MAX_SAFE_INTEGER}. */
  uint64Saturated(): number {
    this.varint();
    return Math.min(this.high * TWO_POW_32 + this.low, Number.MAX_SAFE_INTEGER);
  }

  /** An int64 as a number, for what is stored or replicated: an unsafe one is a fault of the data. */
  int64Safe(): number {
    this.varint();
    return this.safe((this.high | 0) * TWO_POW_32 + this.low);
  }

  /** A uint64 as a number, for what is stored or replicated. */
  uint64Safe(): number {
    this.varint();
    return this.safe(this.high * TWO_POW_32 + this.low);
  }

  /** Bytes, aliasing the input. */
  bytes(): Buffer {
    const length = this.lengthPrefix();
    if (length === 0) {
      this.sawEmptyBytes = true;
    }
    const start = this.pos;
    this.pos += length;
    return this.buf.subarray(start, this.pos);
  }

  /** A proto3 string: invalid UTF-8 is an error (reference: api 4.1). */
  string(): string {
    const bytes = this.bytes();
    if (!isUtf8(bytes)) {
      throw this.fail('string field contains invalid UTF-8');
    }
    return bytes.toString('utf8');
  }

  /** A proto2 string: nobody ever validated these. */
  stringUnchecked(): string {
    return this.bytes().toString('utf8');
  }

  private safe(value: number): number {
    if (!Number.isSafeInteger(value)) {
      throw this.fail('number beyond 2^53');
    }
    return value;
  }

  private advance(bytes: number): void {
    if (bytes > this.len - this.pos) {
      throw this.fail('truncated field');
    }
    this.pos += bytes;
  }

  /** Reads a varint of up to 64 bits into `low` and `high`, both unsigned. */
  private varint(): void {
    const buf = this.buf;
    const len = this.len;
    let pos = this.pos;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = pos < len ? buf[pos++] : undefined;
      if (byte === undefined) {
        throw this.fail('truncated varint');
      }
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) {
          break;
        }
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.pos = pos;
        return;
      }
    }
    throw this.fail('varint overflows 64 bits');
  }

  private skipGroup(field: number): void {
    this.enter();
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) !== 4) {
        this.skip(tag);
        continue;
      }
      if (tag >>> 3 !== field) {
        throw this.fail('end of another group');
      }
      this.leave(this.len);
      return;
    }
  }
}
