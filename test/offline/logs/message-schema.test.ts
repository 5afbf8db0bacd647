import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { protoText } from '../../../src/cli/logs/proto-text.js';
import {
  decodeMessage,
  type FieldSchema,
  type MessageSchema,
} from '../../../src/offline/logs/message-schema.js';
import * as schemas from '../../../src/offline/logs/request-schemas.js';
import { DecodeError } from '../../../src/proto/decode-error.js';

const PROTOS = join(import.meta.dirname, '../../../src/proto/protos');
/** Fields that our .proto files leave out: other releases have them. */
const OTHER_RELEASES = ['v2', 'auth_status'];

interface ProtoField {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly rule: string;
}

/** Messages and enums of the .proto files, by name; nested ones by their own. */
function readProtos(): {
  messages: Map<string, ProtoField[]>;
  enums: Map<string, string[]>;
} {
  const messages = new Map<string, ProtoField[]>();
  const enums = new Map<string, string[]>();
  const folders = readdirSync(PROTOS).filter((folder) => /pb$/.test(folder));
  for (const folder of folders.filter((name) => !/^(v3|snap)/.test(name))) {
    for (const file of readdirSync(join(PROTOS, folder))) {
      const stack: { kind: string; name: string }[] = [];
      for (const line of readFileSync(join(PROTOS, folder, file), 'utf8').split('\n')) {
        const opened = /^\s*(message|enum|oneof) (\w+) \{(\})?/.exec(line);
        const [, kind = '', name = '', closed] = opened ?? [];
        if (kind === 'message') messages.set(`${folder}.${name}`, []);
        if (kind === 'enum') enums.set(name, []);
        if (kind !== '' && closed === undefined) stack.push({ kind, name });
        if (opened !== null) continue;
        if (/^\s*\}/.test(line)) stack.pop();
        const top = stack.at(-1);
        const owner = stack.findLast((level) => level.kind === 'message')?.name;
        const field = /^\s*(optional |repeated )?([\w.]+) (\w+) = (\d+)/.exec(line);
        const value = /^\s*(\w+) = \d+;/.exec(line)?.[1];
        if (top?.kind === 'enum' && value !== undefined) enums.get(top.name)?.push(value);
        else if (field !== null && owner !== undefined) {
          const [, label = '', type = '', fieldName = '', number = ''] = field;
          const rule =
            top?.kind === 'oneof' ? 'oneof' : label === 'repeated ' ? 'repeated' : 'single';
          messages
            .get(`${folder}.${owner}`)
            ?.push({ name: fieldName, number: Number(number), type, rule });
        }
      }
    }
  }
  return { messages, enums };
}

const { messages, enums } = readProtos();

function compare(schema: MessageSchema, name: string, seen = new Set<string>()): void {
  if (seen.has(name)) return;
  seen.add(name);
  const declared = messages.get(name);
  expect(declared, name).toBeDefined();
  const own = schema.fields.filter((field) => !OTHER_RELEASES.includes(field.name));
  const plain = ({ name: field, number, rule }: FieldSchema | ProtoField) =>
    `${number} ${field} ${rule}`;
  expect(own.map(plain).sort(), name).toEqual((declared ?? []).map(plain).sort());
  for (const field of declared ?? []) {
    const type = schema.byNumber.get(field.number)?.type;
    if (typeof type === 'function') {
      const full = field.type.includes('.') ? field.type : `${name.split('.')[0]}.${field.type}`;
      compare(type(), full, seen);
    } else if (Array.isArray(type)) {
      expect(enums.get(field.type), `${name}.${field.name}`).toEqual(type);
    } else expect(type, `${name}.${field.name}`).toBe(field.type);
  }
}

describe('the schemas of a dump', () => {
  it('are those of the .proto files', () => {
    compare(schemas.INTERNAL_RAFT_REQUEST, 'etcdserverpb.InternalRaftRequest');
    compare(schemas.V2_REQUEST, 'etcdserverpb.Request');
    compare(schemas.METADATA, 'etcdserverpb.Metadata');
    compare(schemas.CONF_CHANGE, 'raftpb.ConfChange');
    compare(schemas.ENTRY, 'raftpb.Entry');
    compare(schemas.HARD_STATE, 'raftpb.HardState');
    compare(schemas.SNAPSHOT, 'walpb.Snapshot');
  });
});

describe('decoding by a schema', () => {
  const text = (schema: MessageSchema, ...bytes: (number | string)[]) => {
    const parts = bytes.map((part) =>
      typeof part === 'number' ? Buffer.of(part) : Buffer.from(part, 'latin1'),
    );
    return protoText(decodeMessage(schema, Buffer.concat(parts)));
  };

  it('shows zero in a oneof only, negative numbers and numbers of unknown enums', () => {
    const compareMod = ['\x32\x09\x0a\x07', 0x10, 2, 0x1a, 1, 'k', 0x30, 0];
    expect(text(schemas.INTERNAL_RAFT_REQUEST, ...compareMod)).toBe(
      'txn:<compare:<target:MOD key:"k" mod_revision:0 > > ',
    );
    const revoke = [0x4a, 0x0b, 0x08, '\xff'.repeat(9), 1];
    expect(text(schemas.INTERNAL_RAFT_REQUEST, ...revoke)).toBe('lease_revoke:<ID:-1 > ');
    expect(text(schemas.CONF_CHANGE, 0x10, 9, 0x18, 0)).toBe('type:9 ');
  });

  it('takes packed and single numbers, and shows fields of later releases by number', () => {
    expect(text(schemas.SNAPSHOT, 0x1a, 6, 0x0a, 2, 1, 2, 0x08, 3)).toBe(
      'conf_state:<voters:1 voters:2 voters:3 > ',
    );
    expect(text(schemas.HARD_STATE, 8, 1, 0x78, 5, 0x82, 1, 2, 'a"')).toBe(
      'term:1 15:5 16:"a\\"" ',
    );
  });

  it('escapes what is not printable ASCII as octal', () => {
    expect(text(schemas.ENTRY, 0x22, 9, '\x00\x7f\xe9\n\r\t"\\a')).toBe(
      'Data:"\\000\\177\\351\\n\\r\\t\\"\\\\a" ',
    );
  });

  it('refuses a known field of another wire type, and what is cut off', () => {
    const fails = (...bytes: number[]) =>
      expect(() => decodeMessage(schemas.INTERNAL_RAFT_REQUEST, Buffer.from(bytes))).toThrow(
        DecodeError,
      );
    fails(0x28, 1);
    fails(0x22, 5, 0x0a);
    fails(0x0a, 1, 0x61);
    fails(0x3f);
  });
});
