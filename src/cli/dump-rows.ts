import { quoteGo } from '../base/go-format.js';
import type { Row } from '../offline/database.js';
import type { DecodedRow } from '../offline/decode-row.js';
import { type Permission, Permission_Type } from '../proto/gen/authpb/auth.js';
import { JsonObject } from './printers/go-json.js';
import { enumName, leaseId } from './printers/go-text.js';

/** A row as etcd-dump-db shows it without `--decode`. */
export function rowText([key, value]: Row): string {
  return `key=${quoteGo(key)}, value=${quoteGo(value)}`;
}

export function rowJson([key, value]: Row): JsonObject {
  return new JsonObject().raw('key', base64(key)).raw('value', base64(value));
}

/** A row as etcd-dump-db shows it with `--decode` (reference: cli 12). */
export function decodedText(row: DecodedRow): string {
  switch (row.kind) {
    case 'key': {
      const { main, sub, isTombstone, keyValue } = row;
      const { key, value, createRevision, modRevision, version } = keyValue;
      const revision = `{Revision:{Main:${main} Sub:${sub}} tombstone:${isTombstone}}`;
      return (
        `rev=${revision}, value=[key ${quoteGo(key)} | val ${quoteGo(value)} | ` +
        `created ${createRevision} | mod ${modRevision} | ver ${version}]`
      );
    }
    case 'lease': {
      const { ID, TTL, RemainingTTL } = row.lease;
      return `lease ID=${leaseId(ID)}, TTL=${TTL}s, remaining TTL=${RemainingTTL}s`;
    }
    case 'role': {
      const permissions = row.role.keyPermission.map(permissionText).join(' ');
      return `role=${quoteGo(row.role.name)}, keyPermission=[${permissions}]`;
    }
    case 'user': {
      const { name, roles, options } = row.user;
      const option = options === undefined ? '<nil>' : options.noPassword ? 'no_password:true' : '';
      return `user=${quoteGo(name)}, roles=[${roles.map(quoteGo).join(' ')}], option=${option}`;
    }
    case 'number':
      return `key=${quoteGo(row.key)}, value=${row.value}`;
    case 'revision':
      return `key=${quoteGo(row.key)}, value={${row.main} ${row.sub}}`;
    case 'bytes':
      return `key=${quoteGo(row.key)}, value=[${[...row.value].join(' ')}]`;
    case 'text':
      return rowText([row.key, row.value]);
  }
}

export function decodedJson(row: DecodedRow): JsonObject {
  const json = new JsonObject();
  switch (row.kind) {
    case 'key': {
      const { keyValue } = row;
      return json
        .requiredNumber('main', row.main)
        .requiredNumber('sub', row.sub)
        .requiredBoolean('tombstone', row.isTombstone)
        .raw('key', base64(keyValue.key))
        .number('create_revision', keyValue.createRevision)
        .number('mod_revision', keyValue.modRevision)
        .number('version', keyValue.version)
        .bytes('value', keyValue.value)
        .number('lease', keyValue.lease);
    }
    case 'lease':
      return json
        .requiredNumber('ID', row.lease.ID)
        .requiredNumber('TTL', row.lease.TTL)
        .requiredNumber('remainingTTL', row.lease.RemainingTTL);
    case 'role':
      return json
        .requiredString('role', row.role.name.toString())
        .list('keyPermission', row.role.keyPermission, permissionJson);
    case 'user':
      return json
        .requiredString('user', row.user.name.toString())
        .strings('roles', row.user.roles)
        .boolean('noPassword', row.user.options?.noPassword === true);
    case 'number':
      return json
        .requiredString('key', row.key.toString('latin1'))
        .requiredNumber('value', row.value);
    case 'revision':
      return json
        .requiredString('key', row.key.toString('latin1'))
        .requiredNumber('main', row.main)
        .requiredNumber('sub', row.sub);
    case 'bytes':
    case 'text':
      return rowJson([row.key, row.value]);
  }
}

/** In protobuf's text form, one space between fields. */
function permissionText({ permType, key, rangeEnd }: Permission): string {
  const fields: string[] = [];
  if (permType !== Permission_Type.READ) {
    fields.push(`permType:${enumName(Permission_Type, permType)}`);
  }
  if (key.length > 0) fields.push(`key:${protoText(key)}`);
  if (rangeEnd.length > 0) fields.push(`range_end:${protoText(rangeEnd)}`);
  return fields.join(' ');
}

function permissionJson({ permType, key, rangeEnd }: Permission): string {
  return new JsonObject()
    .number('permType', permType)
    .bytes('key', key)
    .bytes('range_end', rangeEnd)
    .toString();
}

const PROTO_ESCAPES: Readonly<Record<number, string>> = {
  10: '\\n',
  13: '\\r',
  9: '\\t',
  34: '\\"',
  92: '\\\\',
};

/** Bytes in protobuf's text form: what is not printable in octal. */
function protoText(bytes: Buffer): string {
  const characters = [...bytes].map((byte) => {
    const isPrintable = byte >= 0x20 && byte < 0x7f;
    const octal = `\\${byte.toString(8).padStart(3, '0')}`;
    return PROTO_ESCAPES[byte] ?? (isPrintable ? String.fromCharCode(byte) : octal);
  });
  return `"${characters.join('')}"`;
}

function base64(bytes: Buffer): string {
  return `"${bytes.toString('base64')}"`;
}
