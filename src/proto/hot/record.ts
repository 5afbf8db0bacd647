import { EMPTY_BYTES } from '../../base/bytes.js';
import { BinaryReader } from '../wire/reader.js';

/** walpb.Record with absent fields as their zero values. */
export interface RecordFields {
  readonly type: number;
  /** CRC-32C, unsigned. */
  readonly crc: number;
  readonly data: Buffer;
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
