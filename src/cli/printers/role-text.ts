import { FROM_KEY_END, prefixEnd } from '../../base/key-range.js';
import { type Permission, Permission_Type } from '../../proto/gen/authpb/auth.js';
import { lines } from './go-text.js';

const ROOT_ROLE = 'root';

type KeyRange = Pick<Permission, 'key' | 'rangeEnd'>;

/** What `role get` prints in the simple form (reference: cli 7). */
export function rolePermissionLines(role: string, permissions: readonly Permission[]): Buffer {
  const { READ, WRITE, READWRITE } = Permission_Type;
  const unlimited = role === ROOT_ROLE && permissions.length === 0;
  const section = (title: string, types: readonly number[]): Buffer[] => [
    lines([title]),
    ...(unlimited
      ? [lines(['\t[, <open ended>'])]
      : permissions
          .filter((permission) => types.includes(permission.permType))
          .map(permissionLine)),
  ];
  return Buffer.concat([
    lines([`Role ${role}`]),
    ...section('KV Read:', [READ, READWRITE]),
    ...section('KV Write:', [WRITE, READWRITE]),
  ]);
}

function permissionLine({ key, rangeEnd }: KeyRange): Buffer {
  const tab = Buffer.from('\t');
  if (rangeEnd.length === 0) {
    return Buffer.concat([tab, key, Buffer.from('\n')]);
  }
  const prefix = isPrefixRange(key, rangeEnd)
    ? [Buffer.from(' (prefix '), key, Buffer.from(')')]
    : [];
  return Buffer.concat([tab, interval(key, rangeEnd), ...prefix, Buffer.from('\n')]);
}

/** `[k, e)`. Trap: an open end has no closing bracket in etcdctl. */
function interval(key: Buffer, rangeEnd: Buffer): Buffer {
  return rangeEnd.equals(FROM_KEY_END)
    ? Buffer.concat([Buffer.from('['), key, Buffer.from(', <open ended>')])
    : Buffer.concat([Buffer.from('['), key, Buffer.from(', '), rangeEnd, Buffer.from(')')]);
}

function isPrefixRange(key: Buffer, rangeEnd: Buffer): boolean {
  return key.length > 0 && rangeEnd.equals(prefixEnd(key));
}

/** What `role revoke-permission` prints in the simple form. */
export function revokedPermissionText(role: string, { key, rangeEnd }: KeyRange): Buffer {
  const what =
    rangeEnd.length === 0
      ? Buffer.concat([Buffer.from('key '), key])
      : Buffer.concat([Buffer.from('range '), interval(key, rangeEnd)]);
  return Buffer.concat([
    Buffer.from('Permission of '),
    what,
    Buffer.from(` is revoked from role ${role}\n`),
  ]);
}
