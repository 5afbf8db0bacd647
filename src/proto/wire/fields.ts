import { bigintVarintSize, varintSize, writeBigintVarint, writeVarint } from './varint.js';

/**
 * Sizes and writes of whole fields whose number is below 16, so that the tag takes one byte. Each
 * write returns the offset behind the field. As with varints, size the buffer first.
 */

/** Wire types as they stand in the low bits of a tag. */
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** Bytes of a length-delimited field that is written even if empty. */
export function bytesFieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Bytes of a proto3 bytes field: none if empty. */
export function optionalBytesFieldSize(length: number): number {
  return length === 0 ? 0 : bytesFieldSize(length);
}

/** Bytes of a list of length-delimited fields. */
export function bytesFieldsSize(items: readonly Uint8Array[]): number {
  let size = 0;
  for (const item of items) {
    size += bytesFieldSize(item.length);
  }
  return size;
}

/** Writes tag and length of a length-delimited field; the caller writes the content. */
export function writeLengthPrefix(
  buffer: Uint8Array,
  offset: number,
  field: number,
  length: number,
): number {
  buffer[offset] = (field << 3) | LENGTH_DELIMITED;
  return writeVarint(buffer, offset + 1, length);
}

/** Writes a length-delimited field, even if empty. */
export function writeBytesField(
  buffer: Uint8Array,
  offset: number,
  field: number,
  content: Uint8Array,
): number {
  const start = writeLengthPrefix(buffer, offset, field, content.length);
  buffer.set(content, start);
  return start + content.length;
}

/** Writes a proto3 bytes field: nothing if empty. */
export function writeOptionalBytesField(
  buffer: Uint8Array,
  offset: number,
  field: number,
  content: Uint8Array,
): number {
  return content.length === 0 ? offset : writeBytesField(buffer, offset, field, content);
}

/** Writes a list of length-delimited fields. */
export function writeBytesFields(
  buffer: Uint8Array,
  start: number,
  field: number,
  items: readonly Uint8Array[],
): number {
  let offset = start;
  for (const item of items) {
    offset = writeBytesField(buffer, offset, field, item);
  }
  return offset;
}

/** Bytes of a number field that is written even if zero. */
export function numberFieldSize(value: number): number {
  return 1 + varintSize(value);
}

/** Bytes of a proto3 number field: none if zero. */
export function optionalNumberFieldSize(value: number): number {
  return value === 0 ? 0 : numberFieldSize(value);
}

/** Writes a number field, even if zero. */
export function writeNumberField(
  buffer: Uint8Array,
  offset: number,
  field: number,
  value: number,
): number {
  buffer[offset] = (field << 3) | VARINT;
  return writeVarint(buffer, offset + 1, value);
}

/** Writes a proto3 number field: nothing if zero. */
export function writeOptionalNumberField(
  buffer: Uint8Array,
  offset: number,
  field: number,
  value: number,
): number {
  return value === 0 ? offset : writeNumberField(buffer, offset, field, value);
}

/** Bytes of a proto3 id field: none if zero. */
export function optionalBigintFieldSize(value: bigint): number {
  return value === 0n ? 0 : 1 + bigintVarintSize(value);
}

/** Writes a proto3 id field: nothing if zero. */
export function writeOptionalBigintField(
  buffer: Uint8Array,
  offset: number,
  field: number,
  value: bigint,
): number {
  if (value === 0n) {
    return offset;
  }
  buffer[offset] = (field << 3) | VARINT;
  return writeBigintVarint(buffer, offset + 1, value);
}

/** Bytes of a proto3 flag: none if false. */
export function optionalFlagSize(value: boolean): number {
  return value ? 2 : 0;
}

/** Writes a proto3 flag: nothing if false. */
export function writeOptionalFlag(
  buffer: Uint8Array,
  offset: number,
  field: number,
  value: boolean,
): number {
  if (!value) {
    return offset;
  }
  buffer[offset] = (field << 3) | VARINT;
  buffer[offset + 1] = 1;
  return offset + 2;
}
