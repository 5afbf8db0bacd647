import { DecodeError } from '../proto/decode-error.js';
import { Role, User } from '../proto/gen/authpb/auth.js';
import { Lease } from '../proto/gen/leasepb/lease.js';
import { KeyValue } from '../proto/gen/mvccpb/kv.js';
import type { Row } from '../storage/backend/backend.js';
import { isTombstoneKey, mainRevisionOf, subRevisionOf } from '../storage/mvcc/revision-key.js';
import { isRevisionKey } from './keyspace.js';
import { DatabaseRowError } from './row-error.js';

const U64_BYTES = 8;

/** What a row means (reference: formats 4.1). */
export type DecodedRow =
  | {
      readonly kind: 'key';
      readonly main: number;
      readonly sub: number;
      readonly isTombstone: boolean;
      readonly keyValue: KeyValue;
    }
  | { readonly kind: 'lease'; readonly lease: Lease }
  | { readonly kind: 'role'; readonly role: Role }
  | { readonly kind: 'user'; readonly user: User }
  | { readonly kind: 'number'; readonly key: Buffer; readonly value: bigint }
  | {
      readonly kind: 'revision';
      readonly key: Buffer;
      readonly main: number;
      readonly sub: number;
    }
  /** The bucket `auth` has single bytes among its values. */
  | { readonly kind: 'bytes'; readonly key: Buffer; readonly value: Buffer }
  | { readonly kind: 'text'; readonly key: Buffer; readonly value: Buffer };

/** @throws DatabaseRowError if the row is none that its bucket can have */
export function decodeRow(file: string, bucket: string, row: Row): DecodedRow {
  try {
    return decoders[bucket]?.(row) ?? { kind: 'text', key: row[0], value: row[1] };
  } catch (error) {
    if (!(error instanceof DecodeError) && !(error instanceof RowFormError)) throw error;
    throw new DatabaseRowError(file, bucket, row[0], error.message);
  }
}

class RowFormError extends Error {}

const decoders: Readonly<Record<string, (row: Row) => DecodedRow>> = {
  key: decodeKeyRow,
  lease: ([, value]) => ({ kind: 'lease', lease: Lease.decode(value) }),
  authRoles: ([, value]) => ({ kind: 'role', role: Role.decode(value) }),
  authUsers: ([, value]) => ({ kind: 'user', user: User.decode(value) }),
  auth: ([key, value]) =>
    key.toString('latin1') === 'authRevision'
      ? numberRow(key, value)
      : { kind: 'bytes', key, value },
  meta: decodeMetaRow,
};

/** @throws DecodeError, RowFormError */
function decodeKeyRow([key, value]: Row): DecodedRow {
  if (!isRevisionKey(key)) throw new RowFormError('this is not a revision');
  return {
    kind: 'key',
    main: mainRevisionOf(key),
    sub: subRevisionOf(key),
    isTombstone: isTombstoneKey(key),
    keyValue: KeyValue.decode(value),
  };
}

function decodeMetaRow([key, value]: Row): DecodedRow {
  switch (key.toString('latin1')) {
    case 'consistent_index':
    case 'term':
      return numberRow(key, value);
    case 'scheduledCompactRev':
    case 'finishedCompactRev':
      if (!isRevisionKey(value)) throw new RowFormError('its value is not a revision');
      return { kind: 'revision', key, main: mainRevisionOf(value), sub: subRevisionOf(value) };
    default:
      return { kind: 'text', key, value };
  }
}

function numberRow(key: Buffer, value: Buffer): DecodedRow {
  if (value.length !== U64_BYTES) throw new RowFormError(`a number of ${value.length} bytes`);
  return { kind: 'number', key, value: value.readBigUInt64BE(0) };
}
