import { EMPTY_BYTES } from '../../base/bytes.js';
import { DecodeError } from '../decode-error.js';
import type { KeyValue } from '../gen/mvccpb/kv.js';
import {
  bytesFieldSize,
  numberFieldSize,
  optionalBigintFieldSize,
  optionalBytesFieldSize,
  optionalNumberFieldSize,
  writeNumberField,
  writeOptionalBigintField,
  writeOptionalBytesField,
  writeOptionalNumberField,
} from '../wire/fields.js';
import { BinaryReader } from '../wire/reader.js';

/** Field numbers of mvccpb.KeyValue. */
const KEY = 1;
const CREATE_REVISION = 2;
const MOD_REVISION = 3;
const VERSION = 4;
const VALUE = 5;
const LEASE = 6;

/**
 * Encodes a KeyValue as the `key` bucket holds it. The bytes must be those of every etcd, since
 * HashKV of all members covers them (reference: api 4.1).
 */
export function encodeKeyValue(keyValue: KeyValue): Buffer {
  const { key, createRevision, modRevision, version, value, lease } = keyValue;
  const size =
    optionalBytesFieldSize(key.length) +
    optionalNumberFieldSize(createRevision) +
    optionalNumberFieldSize(modRevision) +
    optionalNumberFieldSize(version) +
    optionalBytesFieldSize(value.length) +
    optionalBigintFieldSize(lease);
  const buffer = Buffer.allocUnsafe(size);
  let offset = writeOptionalBytesField(buffer, 0, KEY, key);
  offset = writeOptionalNumberField(buffer, offset, CREATE_REVISION, createRevision);
  offset = writeOptionalNumberField(buffer, offset, MOD_REVISION, modRevision);
  offset = writeOptionalNumberField(buffer, offset, VERSION, version);
  offset = writeOptionalBytesField(buffer, offset, VALUE, value);
  writeOptionalBigintField(buffer, offset, LEASE, lease);
  return buffer;
}

/** The KeyValue stored for a deletion: the key alone. */
export function encodeTombstone(key: Uint8Array): Buffer {
  const buffer = Buffer.allocUnsafe(optionalBytesFieldSize(key.length));
  writeOptionalBytesField(buffer, 0, KEY, key);
  return buffer;
}

/** The KeyValue a DELETE event carries: the key and the revision of the deletion. */
export function encodeDeletedKeyValue(key: Uint8Array, modRevision: number): Buffer {
  const size = optionalBytesFieldSize(key.length) + numberFieldSize(modRevision);
  const buffer = Buffer.allocUnsafe(size);
  const offset = writeOptionalBytesField(buffer, 0, KEY, key);
  writeNumberField(buffer, offset, MOD_REVISION, modRevision);
  return buffer;
}

/*
 * What follows reads single fields of a stored KeyValue. Stored bytes have their fields in ascending
 * order, each at most once, as every encoder writes them; so the search ends at the first higher
 * field. All throw DecodeError if the bytes are malformed.
 */

/** A reader that stands before the value of the field with this tag; undefined if it is absent. */
function seek(bytes: Uint8Array, tag: number): BinaryReader | undefined {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const found = reader.tag();
    if (found === tag) {
      return reader;
    }
    if (found > tag) {
      return undefined;
    }
    reader.skip(found);
  }
  return undefined;
}

/** How the fields 1 to 6 begin. */
const TAGS: ReadonlySet<number> = new Set([
  (KEY << 3) | 2,
  CREATE_REVISION << 3,
  MOD_REVISION << 3,
  VERSION << 3,
  (VALUE << 3) | 2,
  LEASE << 3,
]);

/**
 * The key, aliasing `bytes`, of which all is looked at: for rows that may be damaged behind it.
 * @throws DecodeError
 */
export function keyOfChecked(bytes: Uint8Array): Buffer {
  const reader = new BinaryReader(bytes);
  let key: Buffer = EMPTY_BYTES;
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.tag();
    if (tag === ((KEY << 3) | 2)) {
      key = reader.bytes();
      continue;
    }
    if (tag >>> 3 <= LEASE && !TAGS.has(tag)) throw new DecodeError('wrong wire type', start);
    reader.skip(tag);
  }
  return key;
}

/**
 * Length of the key of a KeyValue in `bytes[start, end)`, of which all is looked at; it begins at
 * `start + 2`. -1 if the KeyValue is not as every encoder writes it, if its key is empty or longer
 * than 127 bytes, or a number is negative: then {@link keyOfChecked} tells what it is.
 */
export function plainKeyLength(bytes: Uint8Array, start: number, end: number): number {
  const length = bytes[start + 1] as number;
  if (end - start < 2 || bytes[start] !== ((KEY << 3) | 2) || length > 0x7f) return -1;
  let at = start + 2 + length;
  if (at < end && bytes[at] === CREATE_REVISION << 3) at = varintEnd(bytes, at + 1);
  if (at < end && bytes[at] === MOD_REVISION << 3) at = varintEnd(bytes, at + 1);
  if (at < end && bytes[at] === VERSION << 3) at = varintEnd(bytes, at + 1);
  if (at < end && bytes[at] === ((VALUE << 3) | 2)) {
    const lengthAt = at + 1;
    at = varintEnd(bytes, lengthAt);
    if (at > end) return -1;
    let valueLength = 0;
    for (let index = at - 1; index >= lengthAt; index--) {
      valueLength = valueLength * 128 + ((bytes[index] as number) & 0x7f);
    }
    at += valueLength;
  }
  if (at < end && bytes[at] === LEASE << 3) at = varintEnd(bytes, at + 1);
  return at === end ? length : -1;
}

/** Where a varint of at most nine bytes ends; beyond everything if it is longer or cut off. */
function varintEnd(bytes: Uint8Array, start: number): number {
  for (let at = start; at < start + 9; at++) if ((bytes[at] ?? 0x80) < 0x80) return at + 1;
  return Number.POSITIVE_INFINITY;
}

/** The key, aliasing `bytes`. */
export function keyOf(bytes: Uint8Array): Buffer {
  return seek(bytes, (KEY << 3) | 2)?.bytes() ?? EMPTY_BYTES;
}

/** The revision that created the key; 0 in a tombstone. */
export function createRevisionOf(bytes: Uint8Array): number {
  return seek(bytes, CREATE_REVISION << 3)?.int64Saturated() ?? 0;
}

/** How often the key was put since its creation; 0 in a tombstone. */
export function versionOf(bytes: Uint8Array): number {
  return seek(bytes, VERSION << 3)?.int64Saturated() ?? 0;
}

/** The value, aliasing `bytes`. */
export function valueBytesOf(bytes: Uint8Array): Buffer {
  return seek(bytes, (VALUE << 3) | 2)?.bytes() ?? EMPTY_BYTES;
}

/** The lease the key is attached to, or 0n. */
export function leaseOf(bytes: Uint8Array): bigint {
  return seek(bytes, LEASE << 3)?.int64() ?? 0n;
}

/** The same KeyValue without its value, for keys-only ranges; the lease stays. */
export function withoutValue(bytes: Buffer): Buffer {
  const value = valueBytesOf(bytes);
  if (value.length === 0) {
    return bytes;
  }
  const valueEnd = value.byteOffset - bytes.byteOffset + value.length;
  const valueStart = valueEnd - bytesFieldSize(value.length);
  return Buffer.concat([bytes.subarray(0, valueStart), bytes.subarray(valueEnd)]);
}
