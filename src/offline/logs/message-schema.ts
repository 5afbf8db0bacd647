import type { DecodeError } from '../../proto/decode-error.js';
import { BinaryReader } from '../../proto/wire/reader.js';

/** Types of fields that are not messages and not enums. */
export type ScalarType = 'int64' | 'uint64' | 'bool' | 'string' | 'bytes';

/** An enum by the names of its numbers from 0 on, or a message. */
export type FieldType = ScalarType | readonly string[] | (() => MessageSchema);

/** `oneof`: one of the fields so marked is set, and then it is shown though it be zero. */
export type FieldRule = 'single' | 'repeated' | 'oneof';

export interface FieldSchema {
  /** As in the .proto file. */
  readonly name: string;
  readonly number: number;
  readonly type: FieldType;
  readonly rule: FieldRule;
}

/** A message by its fields, in the order of etcd's .proto file, which is that of its text form. */
export interface MessageSchema {
  readonly fields: readonly FieldSchema[];
  readonly byNumber: ReadonlyMap<number, FieldSchema>;
}

/** Numbers and enums are bigint; strings are bytes, for etcd up to 3.6 takes any. */
export type FieldValue = bigint | boolean | Buffer | DecodedMessage;

/** A message with what was in it, in all versions of it. */
export interface DecodedMessage {
  readonly schema: MessageSchema;
  /** By field name; one value unless the field is repeated. */
  readonly values: Map<string, readonly FieldValue[]>;
  /** Tags and values of fields that the schema does not have, as they were written. */
  readonly unknown: readonly Buffer[];
}

const WireType = { Varint: 0, Bytes: 2 } as const;

/** A schema from `name: [number, type, rule]`. */
export function messageSchema(
  fields: Readonly<Record<string, readonly [number, FieldType, FieldRule?]>>,
): MessageSchema {
  const list = Object.entries(fields).map(([name, [number, type, rule = 'single']]) => {
    return { name, number, type, rule };
  });
  return { fields: list, byNumber: new Map(list.map((field) => [field.number, field])) };
}

/**
 * Decodes a message as strictly as etcd up to 3.6 does: a known field of another wire type is a
 * fault. That is how requests to the v2 store are told from others (reference: formats 1.4).
 *
 * @throws DecodeError
 */
export function decodeMessage(schema: MessageSchema, bytes: Uint8Array): DecodedMessage {
  return decodeFields(schema, new BinaryReader(bytes));
}

function decodeFields(schema: MessageSchema, reader: BinaryReader, length?: number) {
  const outerEnd = reader.len;
  const end = reader.enter(length);
  const values = new Map<string, readonly FieldValue[]>();
  const unknown: Buffer[] = [];
  while (reader.pos < end) {
    const start = reader.pos;
    const tag = reader.tag();
    const field = schema.byNumber.get(tag >>> 3);
    if (field === undefined) {
      reader.skip(tag);
      unknown.push(reader.buf.subarray(start, reader.pos));
      continue;
    }
    const found = decodeValues(field, reader, tag & 7, values.get(field.name));
    if (field.rule === 'oneof') {
      for (const { name, rule } of schema.fields) if (rule === 'oneof') values.delete(name);
    }
    values.set(field.name, found);
  }
  reader.leave(outerEnd);
  return { schema, values, unknown };
}

/** The values of a field after another occurrence of it. */
function decodeValues(
  field: FieldSchema,
  reader: BinaryReader,
  wireType: number,
  earlier: readonly FieldValue[] = [],
): readonly FieldValue[] {
  const { type, rule } = field;
  const isNumber = isVarint(type);
  if (rule === 'repeated' && isNumber && wireType === WireType.Bytes) {
    return [...earlier, ...decodePacked(type, reader)];
  }
  if (wireType !== (isNumber ? WireType.Varint : WireType.Bytes)) {
    throw wrongWireType(field, reader, wireType);
  }
  const value = decodeValue(type, reader);
  return rule === 'repeated' ? [...earlier, value] : [value];
}

function decodePacked(type: FieldType, reader: BinaryReader): FieldValue[] {
  const end = reader.lengthPrefix() + reader.pos;
  const values: FieldValue[] = [];
  while (reader.pos < end) values.push(decodeValue(type, reader));
  return values;
}

function decodeValue(type: FieldType, reader: BinaryReader): FieldValue {
  if (typeof type === 'function') return decodeFields(type(), reader, reader.lengthPrefix());
  switch (type) {
    case 'bool':
      return reader.bool();
    case 'uint64':
      return reader.uint64();
    case 'string':
    case 'bytes':
      return reader.bytes();
    default:
      return reader.int64();
  }
}

function isVarint(type: FieldType): boolean {
  return typeof type !== 'function' && type !== 'string' && type !== 'bytes';
}

function wrongWireType(field: FieldSchema, reader: BinaryReader, wireType: number): DecodeError {
  return reader.fail(`wrong wireType = ${wireType} for field ${field.name}`);
}

/** The one value of a field; undefined if it is not there. */
export function firstValue(message: DecodedMessage, name: string): FieldValue | undefined {
  return message.values.get(name)?.[0];
}

/** A message in it; undefined if it is not there. */
export function messageOf(message: DecodedMessage, name: string): DecodedMessage | undefined {
  const value = firstValue(message, name);
  return typeof value === 'object' && 'schema' in value ? value : undefined;
}

/** A string or bytes field; empty if it is not there. */
export function bytesOf(message: DecodedMessage, name: string): Buffer {
  const value = firstValue(message, name);
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

/** A number; 0 if it is not there. */
export function numberOf(message: DecodedMessage, name: string): bigint {
  const value = firstValue(message, name);
  return typeof value === 'bigint' ? value : 0n;
}

/** Whether a value is what a field has that was never written. */
export function isZero(value: FieldValue): boolean {
  return value === 0n || value === false || (Buffer.isBuffer(value) && value.length === 0);
}
