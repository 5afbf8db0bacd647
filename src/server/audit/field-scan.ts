import { DecodeError } from '../../proto/decode-error.js';
import { BinaryReader } from '../../proto/wire/reader.js';
import { bytesMember, textMember } from './json-text.js';

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** A field of a message that may be told. */
export interface AuditField {
  /** Field number and wire type, as they stand before the value. */
  readonly tag: number;
  /** Reads the value and gives its members, each with the comma before it. */
  readonly read: (reader: BinaryReader) => string;
  /** What stands for a field that is not there. */
  readonly absent: string;
  /** The name of a repeated field, of which `read` gives one element. */
  readonly list?: string;
}

function field(
  number: number,
  wireType: number,
  read: AuditField['read'],
  absent = '',
): AuditField {
  return { tag: (number << 3) | wireType, read, absent };
}

/** Bytes: text where it can be (see `json-text.ts`). An empty one is left out. */
export function bytesField(number: number, name: string): AuditField {
  return field(number, LENGTH_DELIMITED, (reader) => {
    const length = reader.lengthPrefix();
    const start = reader.pos;
    reader.pos += length;
    return length === 0 ? '' : bytesMember(name, reader.buf, start, reader.pos);
  });
}

/** A string, empty if it is not there. */
export function textField(number: number, name: string): AuditField {
  const read = (reader: BinaryReader): string => textMember(name, reader.string());
  return field(number, LENGTH_DELIMITED, read, textMember(name, ''));
}

/** All the strings of a repeated field, if there are any. */
export function textListField(number: number, name: string): AuditField {
  const read = (reader: BinaryReader): string => JSON.stringify(reader.string());
  return { ...field(number, LENGTH_DELIMITED, read), list: name };
}

/** A number other than 0. */
export function numberField(number: number, name: string): AuditField {
  return field(number, VARINT, (reader) => {
    const value = reader.int64Saturated();
    return value === 0 ? '' : `,"${name}":${value}`;
  });
}

/** A number that is told even if it is 0. */
export function countField(number: number, name: string): AuditField {
  const read = (reader: BinaryReader): string => `,"${name}":${reader.int64Saturated()}`;
  return field(number, VARINT, read, `,"${name}":0`);
}

/** The id of a lease or a member, other than 0, in hexadecimal as etcdctl prints it. */
export function idField(number: number, name: string): AuditField {
  return field(number, VARINT, (reader) => {
    const id = reader.uint64();
    return id === 0n ? '' : `,"${name}":"${id.toString(16)}"`;
  });
}

/** A flag, false if it is not there. */
export function flagField(number: number, name: string): AuditField {
  const read = (reader: BinaryReader): string => `,"${name}":${reader.bool()}`;
  return field(number, VARINT, read, `,"${name}":false`);
}

/** One of the names, by number from 0 on; a number without a name stands for itself. */
export function choiceField(number: number, name: string, choices: readonly string[]): AuditField {
  const told = (value: number): string => textMember(name, choices[value] ?? String(value));
  return field(number, VARINT, (reader) => told(reader.int32()), told(0));
}

/** Fields of a message within the message. */
export function messageField(number: number, fields: readonly AuditField[]): AuditField {
  return field(number, LENGTH_DELIMITED, (reader) =>
    inMessage(reader, () => readFields(reader, fields)),
  );
}

/** Reads a message within the message, whose length comes next. */
export function inMessage<Result>(reader: BinaryReader, read: () => Result): Result {
  const outerEnd = reader.len;
  reader.enter(reader.lengthPrefix());
  const result = read();
  reader.leave(outerEnd);
  return result;
}

/**
 * The members for the fields of a message. What is not named is passed over, so that a field that
 * nobody thought of cannot come out. As in the codecs the last of several occurrences counts.
 * @param lastTag fields with a higher number end the message
 * @throws DecodeError
 */
export function readFields(
  reader: BinaryReader,
  fields: readonly AuditField[],
  lastTag = Number.POSITIVE_INFINITY,
): string {
  const { pos } = reader;
  const members = readInOrder(reader, fields, lastTag);
  if (members !== undefined) return members;
  reader.pos = pos;
  return readInAnyOrder(reader, fields, lastTag);
}

/** The quick way: undefined if fields repeat, or stand in another order than here. */
function readInOrder(
  reader: BinaryReader,
  fields: readonly AuditField[],
  lastTag: number,
): string | undefined {
  let members = '';
  let next = 0;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag > lastTag) break;
    const position = positionOf(fields, tag);
    const known = fields[position];
    if (known === undefined) {
      reader.skip(tag);
      continue;
    }
    if (position < next || known.list !== undefined) return undefined;
    for (; next < position; next++) members += fields[next]?.absent ?? '';
    members += known.read(reader);
    next += 1;
  }
  for (; next < fields.length; next++) members += fields[next]?.absent ?? '';
  return members;
}

function readInAnyOrder(
  reader: BinaryReader,
  fields: readonly AuditField[],
  lastTag: number,
): string {
  const texts = fields.map(({ absent }) => absent);
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag > lastTag) break;
    const position = positionOf(fields, tag);
    const known = fields[position];
    if (known === undefined) reader.skip(tag);
    else if (known.list === undefined) texts[position] = known.read(reader);
    else texts[position] = withElement(texts[position] ?? '', known.list, known.read(reader));
  }
  return texts.join('');
}

function positionOf(fields: readonly AuditField[], tag: number): number {
  for (let position = 0; position < fields.length; position++) {
    if (fields[position]?.tag === tag) return position;
  }
  return -1;
}

function withElement(list: string, name: string, element: string): string {
  return list === '' ? `,"${name}":[${element}]` : `${list.slice(0, -1)},${element}]`;
}

/** As {@link readFields}, of a request; bytes that are no message have no members. */
export function requestMembers(bytes: Uint8Array, fields: readonly AuditField[]): string {
  if (fields.length === 0) return '';
  return membersOrNone(() => readFields(new BinaryReader(bytes), fields));
}

/** As {@link readFields}, of our own response: its fields are in order, so the rest isn't read. */
export function responseMembers(bytes: Uint8Array, fields: readonly AuditField[]): string {
  const last = fields.at(-1);
  if (last === undefined) return '';
  return readFields(new BinaryReader(bytes), fields, last.tag);
}

/** A request that is malformed is refused with its own code; there is nothing to tell of it. */
export function membersOrNone(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof DecodeError) return '';
    throw error;
  }
}
