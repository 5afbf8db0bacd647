import { DecodeError } from '../proto/decode-error.js';
import { keyOfChecked } from '../proto/hot/key-value.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import type { StoredElement } from '../storage/bbolt/leaf.js';
import { isTombstoneKey, REVISION_KEY_BYTES } from '../storage/mvcc/revision-key.js';

const SEPARATOR = 0x5f;

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

function rowError(file: string, offset: number, reason: string): BboltError {
  const told = `error during bucket key iteration, name: "key" err: ${reason}`;
  return new BboltError({ file, offset }, told);
}
