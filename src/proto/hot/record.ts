import { EMPTY_BYTES } from '../../base/bytes.js';
import {
  numberFieldSize,
  optionalBytesFieldSize,
  writeNumberField,
  writeOptionalBytesField,
} from '../wire/fields.js';
import { BinaryReader } from '../wire/reader.js';

/** walpb.Record with absent fields as their zero values. */
export interface RecordFields {
  readonly type: number;
  /** CRC-32C, unsigned. */
  readonly crc: number;
  readonly data: Buffer;
}

/*
 * Type and crc are always written, data only if there is some: crc records have none
 * (reference: formats 1.4).
 */

/** Bytes of a record with `dataLength` bytes of data. */
export function recordEncodedSize(type: number, crc: number, dataLength: number): number {
  return numberFieldSize(type) + numberFieldSize(crc) + optionalBytesFieldSize(dataLength);
}

/** Writes a record at `offset`, where there must be room for it; returns the offset behind it. */
export function encodeRecordInto(
  buffer: Uint8Array,
  start: number,
  type: number,
  crc: number,
  data: Uint8Array,
): number {
  let offset = writeNumberField(buffer, start, 1, type);
  offset = writeNumberField(buffer, offset, 2, crc);
  return writeOptionalBytesField(buffer, offset, 3, data);
}

/** Decodes a record; its data aliases `bytes`. @throws DecodeError */
export function decodeRecord(bytes: Uint8Array): RecordFields {
  const reader = new BinaryReader(bytes);
  let type = 0;
  let crc = 0;
  let data = EMPTY_BYTES;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        type = reader.int64Safe();
        break;
      case 0x10:
        crc = reader.uint32();
        break;
      case 0x1a:
        data = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { type, crc, data };
}
