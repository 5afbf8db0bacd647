import { DecodeError } from '../../proto/decode-error.js';
import { Role, User } from '../../proto/gen/authpb/auth.js';
import { AlarmMember } from '../../proto/gen/etcdserverpb/rpc.js';
import { KeyValue } from '../../proto/gen/mvccpb/kv.js';
import type { Bucket } from '../../storage/backend/backend.js';
import { BboltError } from '../../storage/bbolt/bbolt-error.js';
import type { StoredElement } from '../../storage/bbolt/leaf.js';
import { isTombstoneKey, REVISION_KEY_BYTES } from '../../storage/mvcc/revision-key.js';
import { decodeLease } from '../lease/lease-row.js';
import { decodeDowngrade } from '../membership/downgrade.js';
import { decodeMember } from '../membership/member.js';

const SEPARATOR = 0x5f;
/** Where the second part of a revision begins, bytes. */
const SUB_OFFSET = 9;
const NUMBER_BYTES = 8;
/** Keys in messages are cut off behind so many bytes: a damaged length makes them long. */
const MAX_SHOWN_KEY_BYTES = 64;

/** Has another form than all rows of its bucket have. */
class RowFormError extends Error {}

/** What the server reads of a row when it starts (reference: formats 4.1). */
const CHECKS: Readonly<Partial<Record<Bucket, (key: Buffer, value: Buffer) => void>>> = {
  key(key, value) {
    requireRevision(key);
    KeyValue.decode(value);
  },
  lease: (_key, value) => void decodeLease(value),
  alarm: (key) => void AlarmMember.decode(key),
  auth(key, value) {
    if (key.toString('latin1') === 'authRevision') requireNumber(value);
  },
  authRoles: (_key, value) => void Role.decode(value),
  authUsers: (_key, value) => void User.decode(value),
  cluster(key, value) {
    if (key.toString('latin1') === 'downgrade') decodeDowngrade(value.toString());
  },
  members: (_key, value) => void decodeMember(value.toString()),
  members_removed: (key) => void BigInt(`0x${key.toString()}`),
  meta(key, value) {
    const name = key.toString('latin1');
    if (name === 'consistent_index' || name === 'term') requireNumber(value);
    else if (name === 'scheduledCompactRev' || name === 'finishedCompactRev')
      requireRevision(value);
  },
};

/**
 * Sees that the server can read a row of another etcd's database. bbolt has no checksums: without
 * this, a damage is found when the rows are in a database of ours, far from the file that has it.
 * @param path of the file, for the error
 * @throws BboltError at the row
 */
export function checkRow(path: string, bucket: Bucket, element: StoredElement): void {
  const { key, value, offset } = element;
  try {
    CHECKS[bucket]?.(key, value);
  } catch (error) {
    const isOfRow =
      error instanceof DecodeError || error instanceof RowFormError || error instanceof SyntaxError;
    if (!isOfRow) throw error;
    const reason = `bucket ${bucket}, row ${shown(key)}: ${error.message}`;
    throw new BboltError({ file: path, offset }, reason);
  }
}

function requireRevision(bytes: Buffer): void {
  const length = isTombstoneKey(bytes) ? REVISION_KEY_BYTES + 1 : REVISION_KEY_BYTES;
  if (bytes.length !== length || bytes[8] !== SEPARATOR) {
    throw new RowFormError(`cannot parse revision key: ${shown(bytes)}`);
  }
  requireSafe(bytes.readBigUInt64BE(0));
  requireSafe(bytes.readBigUInt64BE(SUB_OFFSET));
}

function requireNumber(bytes: Buffer): void {
  if (bytes.length !== NUMBER_BYTES) throw new RowFormError(`a number of ${bytes.length} bytes`);
  requireSafe(bytes.readBigUInt64BE(0));
}

/** More than this is counted nowhere: it is damaged. */
function requireSafe(value: bigint): void {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RowFormError(`${value} is too large`);
}

function shown(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, MAX_SHOWN_KEY_BYTES);
  return bytes.length > MAX_SHOWN_KEY_BYTES ? `${hex}...` : hex;
}
