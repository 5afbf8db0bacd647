import { DecodeError } from '../proto/decode-error.js';
import { keyOf } from '../proto/hot/key-value.js';
import { BboltError } from '../storage/bbolt/bbolt-error.js';
import { isTombstoneKey, REVISION_KEY_BYTES } from '../storage/mvcc/revision-key.js';

const SEPARATOR = 0x5f;

/** A row of the bucket `key`. */
export interface KeyRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/**
 * The user's key of a row of the bucket `key`.
 * @throws BboltError if the row's key is no revision, or its value no KeyValue, in etcd's words
 */
export function userKeyOf({ key, value }: KeyRow, path: string): Buffer {
  const length = isTombstoneKey(key) ? REVISION_KEY_BYTES + 1 : REVISION_KEY_BYTES;
  if (key.length !== length || key[8] !== SEPARATOR) {
    throw rowError(path, `cannot parse revision key: ${key.toString('hex')}`);
  }
  try {
    return keyOf(value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw rowError(path, `cannot unmarshal value, key: ${key.toString('hex')}: ${error.message}`);
  }
}

function rowError(path: string, reason: string): BboltError {
  const site = { file: path, offset: 0 };
  return new BboltError(site, `error during bucket key iteration, name: "key" err: ${reason}`);
}
