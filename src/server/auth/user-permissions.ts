import { keyText } from '../../base/bytes.js';
import { type KeyRange, KeyRangeSet } from '../../base/key-range-set.js';
import { type Permission, Permission_Type } from '../../proto/gen/authpb/auth.js';

const { READ, WRITE, READWRITE } = Permission_Type;

/** What a user may do with keys. */
export type Access = 'read' | 'write';

/** The keys that a user may read and write, all its roles together. */
export type UserPermissions = Readonly<Record<Access, KeyRangeSet>>;

/** Merges the permissions of roles (reference: api 17.5, Evaluation). */
export function mergePermissions(permissions: Iterable<Permission>): UserPermissions {
  const read: KeyRange[] = [];
  const write: KeyRange[] = [];
  for (const { permType, key, rangeEnd } of permissions) {
    const range = { key: keyText(key), rangeEnd: keyText(rangeEnd) };
    // A type that nobody knows allows nothing.
    if (permType === READ || permType === READWRITE) read.push(range);
    if (permType === WRITE || permType === READWRITE) write.push(range);
  }
  return { read: new KeyRangeSet(read), write: new KeyRangeSet(write) };
}

/** Whether a permission may be granted for that range (reference: semantics 7.2). */
export function isGrantableRange(key: Uint8Array, rangeEnd: Uint8Array): boolean {
  if (key.length === 0) return false;
  if (rangeEnd.length === 0) return true;
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return true;
  return Buffer.compare(key, rangeEnd) < 0;
}
