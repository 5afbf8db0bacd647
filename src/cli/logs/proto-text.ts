import { quoteGo } from '../../base/go-format.js';
import {
  type DecodedMessage,
  type FieldSchema,
  type FieldValue,
  isZero,
} from '../../offline/logs/message-schema.js';
import { BinaryReader } from '../../proto/wire/reader.js';

/**
 * A message in the text form of etcd up to 3.6: `header:<ID:75 > put:<key:"foo" value:"bar" > `, with
 * a space behind every field, the last one too (reference: cli 11.1).
 */
export function protoText(message: DecodedMessage): string {
  let text = '';
  for (const field of message.schema.fields) {
    for (const value of message.values.get(field.name) ?? []) {
      if (field.rule === 'single' && isZero(value)) continue;
      text += `${field.name}:${valueText(field, value)} `;
    }
  }
  return text + message.unknown.map(unknownText).join('');
}

function valueText({ type }: FieldSchema, value: FieldValue): string {
  if (Buffer.isBuffer(value)) return quoteOctal(value);
  if (typeof value === 'object') return `<${protoText(value)}>`;
  if (typeof value === 'bigint' && Array.isArray(type)) return type[Number(value)] ?? `${value}`;
  return String(value);
}

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x22, '\\"'],
  [0x5c, '\\\\'],
]);

/** Bytes in quotes: printable ASCII as it is, all else as three octal digits. */
function quoteOctal(bytes: Buffer): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must be escaped.
  const escaped = bytes.toString('latin1').replace(/[\x00-\x1f"\\\x7f-\xff]/g, (character) => {
    const code = character.charCodeAt(0);
    return ESCAPES.get(code) ?? `\\${code.toString(8).padStart(3, '0')}`;
  });
  return `"${escaped}"`;
}

/** A field that only a later release knows: by its number. */
function unknownText(field: Buffer): string {
  const reader = new BinaryReader(field);
  const tag = reader.tag();
  const number = tag >>> 3;
  switch (tag & 7) {
    case 0:
      return `${number}:${reader.uint64()} `;
    case 2:
      return `${number}:${quoteGo(reader.bytes())} `;
    default:
      return `${number}:${quoteGo(field.subarray(reader.pos))} `;
  }
}
