import { BinaryReader } from '../../proto/wire/reader.js';
import {
  bigintVarintSize,
  varintSize,
  writeBigintVarint,
  writeVarint,
} from '../../proto/wire/varint.js';

const TAG_KEY = 0x0a;
const TAG_CREATE_REVISION = 0x10;
const TAG_MOD_REVISION = 0x18;
const TAG_VERSION = 0x20;
const TAG_VALUE = 0x2a;
const TAG_LEASE = 0x30;

/**
 * The canonical encoding of an mvccpb.KeyValue: fields ascending, zeros left out.
 *
 * Trap: these bytes are hashed and compared between members, so they must be what Go would write.
 */
export function encodeStoredKeyValue(
  key: Uint8Array,
  createRevision: number,
  modRevision: number,
  version: number,
  value: Uint8Array,
  lease: bigint,
): Buffer {
  const size =
    bytesFieldSize(key.length) +
    numberFieldSize(createRevision) +
    numberFieldSize(modRevision) +
    numberFieldSize(version) +
    bytesFieldSize(value.length) +
    (lease === 0n ? 0 : 1 + bigintVarintSize(lease));
  const bytes = Buffer.allocUnsafe(size);
  let offset = writeBytesField(bytes, 0, TAG_KEY, key);
  offset = writeNumberField(bytes, offset, TAG_CREATE_REVISION, createRevision);
  offset = writeNumberField(bytes, offset, TAG_MOD_REVISION, modRevision);
  offset = writeNumberField(bytes, offset, TAG_VERSION, version);
  offset = writeBytesField(bytes, offset, TAG_VALUE, value);
  if (lease !== 0n) {
    bytes[offset] = TAG_LEASE;
    writeBigintVarint(bytes, offset + 1, lease);
  }
  return bytes;
}

/** What a stored row says; `key` and `value` alias its bytes. */
export interface StoredKeyValue {
  key: Buffer;
  createRevision: number;
  modRevision: number;
  version: number;
  value: Buffer;
  lease: bigint;
}

const NOTHING = Buffer.alloc(0);

/**
 * Decodes a stored row.
 *
 * @throws DecodeError if the bytes are not a KeyValue
 */
export function decodeStoredKeyValue(bytes: Buffer): StoredKeyValue {
  const reader = new BinaryReader(bytes);
  const keyValue: StoredKeyValue = {
    key: NOTHING,
    createRevision: 0,
    modRevision: 0,
    version: 0,
    value: NOTHING,
    lease: 0n,
  };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag) {
      case TAG_KEY:
        keyValue.key = reader.bytes();
        break;
      case TAG_CREATE_REVISION:
        keyValue.createRevision = reader.int64Safe();
        break;
      case TAG_MOD_REVISION:
        keyValue.modRevision = reader.int64Safe();
        break;
      case TAG_VERSION:
        keyValue.version = reader.int64Safe();
        break;
      case TAG_VALUE:
        keyValue.value = reader.bytes();
        break;
      case TAG_LEASE:
        keyValue.lease = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return keyValue;
}

/** The key of a stored row, in text form, without decoding the rest. */
export function storedKeyText(bytes: Buffer): string {
  const length = bytes[1];
  if (bytes[0] === TAG_KEY && length !== undefined && length < 0x80 && length + 2 <= bytes.length) {
    return bytes.toString('latin1', 2, 2 + length);
  }
  return decodeStoredKeyValue(bytes).key.toString('latin1');
}

/** The same row without its value, as keys_only shows it; everything else stays. */
export function withoutValue(bytes: Buffer): Buffer {
  const { key, createRevision, modRevision, version, lease } = decodeStoredKeyValue(bytes);
  return encodeStoredKeyValue(key, createRevision, modRevision, version, NOTHING, lease);
}

function bytesFieldSize(length: number): number {
  return length === 0 ? 0 : 1 + varintSize(length) + length;
}

function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

function writeBytesField(target: Buffer, start: number, tag: number, bytes: Uint8Array): number {
  if (bytes.length === 0) {
    return start;
  }
  target[start] = tag;
  const offset = writeVarint(target, start + 1, bytes.length);
  target.set(bytes, offset);
  return offset + bytes.length;
}

function writeNumberField(target: Buffer, start: number, tag: number, value: number): number {
  if (value === 0) {
    return start;
  }
  target[start] = tag;
  return writeVarint(target, start + 1, value);
}
