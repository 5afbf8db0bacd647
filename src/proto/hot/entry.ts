import { EMPTY_BYTES } from '../../base/bytes.js';
import type { EntryType } from '../gen/raftpb/raft.js';
import {
  numberFieldSize,
  optionalBytesFieldSize,
  optionalNumberFieldSize,
  writeNumberField,
  writeOptionalBytesField,
  writeOptionalNumberField,
} from '../wire/fields.js';
import { BinaryReader } from '../wire/reader.js';

/** raftpb.Entry with absent fields as their zero values. */
export interface EntryFields {
  readonly type: EntryType;
  readonly term: number;
  readonly index: number;
  readonly data: Buffer;
}

/*
 * Presence as in etcd 3.7 (reference: api 4.3): a normal entry carries no Type, term and index are
 * always there, and no entry has empty data. Servers up to 3.6 write Type 0 too; all read both.
 */

/** Bytes that {@link encodeEntryInto} writes. */
export function entryEncodedSize(entry: EntryFields): number {
  return (
    optionalNumberFieldSize(entry.type) +
    numberFieldSize(entry.term) +
    numberFieldSize(entry.index) +
    optionalBytesFieldSize(entry.data.length)
  );
}

/** Writes an entry at `offset`, where there must be room for it; returns the offset behind it. */
export function encodeEntryInto(buffer: Uint8Array, start: number, entry: EntryFields): number {
  let offset = writeOptionalNumberField(buffer, start, 1, entry.type);
  offset = writeNumberField(buffer, offset, 2, entry.term);
  offset = writeNumberField(buffer, offset, 3, entry.index);
  return writeOptionalBytesField(buffer, offset, 4, entry.data);
}

export function encodeEntry(entry: EntryFields): Buffer {
  const buffer = Buffer.allocUnsafe(entryEncodedSize(entry));
  encodeEntryInto(buffer, 0, entry);
  return buffer;
}

/** Decodes an entry; its data aliases `bytes`. @throws DecodeError */
export function decodeEntry(bytes: Uint8Array): EntryFields {
  const reader = new BinaryReader(bytes);
  let type: EntryType = 0;
  let term = 0;
  let index = 0;
  let data = EMPTY_BYTES;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        type = reader.enumeration();
        break;
      case 0x10:
        term = reader.uint64Safe();
        break;
      case 0x18:
        index = reader.uint64Safe();
        break;
      case 0x22:
        data = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { type, term, index, data };
}
