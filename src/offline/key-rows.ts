import { DecodeError } from '../proto/decode-error.js';
import { keyOfChecked, plainKeyLength } from '../proto/hot/key-value.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import type { LeafPlaces, StoredElement } from '../storage/bbolt/leaf.js';
import { isTombstoneKey, REVISION_KEY_BYTES } from '../storage/mvcc/revision-key.js';
import type { LiveKeyCount } from './live-key-count.js';

const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;

/**
 * The user's key of a row of the bucket `key`, both parts of which are checked.
 * @throws BboltError with etcd's words, at the row
 */
export function userKeyOf({ key, value, offset }: StoredElement, path: string): Buffer {
  const length = isTombstoneKey(key) ? REVISION_KEY_BYTES + 1 : REVISION_KEY_BYTES;
  if (key.length !== length || key[8] !== SEPARATOR) {
    throw rowError(path, offset, `cannot parse revision key: ${key.toString('hex')}`);
  }
  try {
    return keyOfChecked(value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const reason = `cannot unmarshal value, key: ${key.toString('hex')}: ${error.message}`;
    throw rowError(path, offset, reason);
  }
}

/**
 * Counts the user's keys of a leaf of the bucket `key`, as {@link userKeyOf} reads and checks them.
 * @throws BboltError as it does
 */
export function countUserKeys(leaf: LeafPlaces, keys: LiveKeyCount, path: string): void {
  const { bytes, count, places } = leaf;
  for (let index = 0; index < count; index++) {
    const keyAt = places[2 * index] as number;
    const valueAt = places[2 * index + 1] as number;
    const end = places[2 * index + 2] as number;
    const keyBytes = valueAt - keyAt;
    const isDeletion =
      keyBytes > REVISION_KEY_BYTES && bytes[keyAt + REVISION_KEY_BYTES] === TOMBSTONE_MARK;
    const isRevision =
      keyBytes === REVISION_KEY_BYTES + (isDeletion ? 1 : 0) && bytes[keyAt + 8] === SEPARATOR;
    const length = isRevision ? plainKeyLength(bytes, valueAt, end) : -1;
    if (length >= 0) {
      if (isDeletion) keys.delete(bytes, valueAt + 2, valueAt + 2 + length);
      else keys.put(bytes, valueAt + 2, valueAt + 2 + length);
      continue;
    }
    const key = bytes.subarray(keyAt, valueAt);
    const value = bytes.subarray(valueAt, end);
    const offset = leaf.site.offset + keyAt;
    const userKey = userKeyOf({ key, value, isBucket: false, offset }, path);
    if (isDeletion) keys.delete(userKey);
    else keys.put(userKey);
  }
}

function rowError(file: string, offset: number, reason: string): BboltError {
  const told = `error during bucket key iteration, name: "key" err: ${reason}`;
  return new BboltError({ file, offset }, told);
}
