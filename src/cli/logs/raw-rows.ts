import { decodeEntryContent } from '../../offline/logs/decode-entry.js';
import {
  type DecodedMessage,
  decodeMessage,
  type MessageSchema,
  numberOf,
} from '../../offline/logs/message-schema.js';
import type { RawKind, RawRecord } from '../../offline/logs/raw-records.js';
import { ENTRY, HARD_STATE, METADATA, SNAPSHOT } from '../../offline/logs/request-schemas.js';
import { DecodeError } from '../../proto/decode-error.js';
import { decodeEntry } from '../../proto/hot/entry.js';
import { JsonObject, jsonBytes } from '../printers/go-json.js';
import { entryJson } from './entry-rows.js';
import { messageJson } from './message-json.js';
import { protoText } from './proto-text.js';

interface Form {
  readonly label: string;
  readonly schema: MessageSchema;
  /** The field that `--start-index` is compared with. */
  readonly indexField: string | undefined;
}

const FORMS: Readonly<Record<Exclude<RawKind, 'crc'>, Form>> = {
  metadata: { label: 'Metadata', schema: METADATA, indexField: undefined },
  entry: { label: 'Entry', schema: ENTRY, indexField: 'Index' },
  state: { label: 'HardState', schema: HARD_STATE, indexField: 'commit' },
  snapshot: { label: 'Snapshot', schema: SNAPSHOT, indexField: 'index' },
};

/**
 * The line of a record, as `etcd-dump-logs -raw` prints it (reference: cli 11.3); undefined for what
 * lies below `startIndex` and for records of no known kind.
 */
export function rawLine(record: RawRecord, startIndex: bigint): string | undefined {
  const { kind, crc, data } = record;
  if (kind === 'crc') return `CRC: ${crc}`;
  if (kind === undefined) return undefined;
  const { label, schema, indexField } = FORMS[kind];
  const message = tryDecode(schema, data);
  if (message === undefined) return `${label}: ???`;
  return isBelow(message, indexField, startIndex) ? undefined : `${label}: ${protoText(message)}`;
}

/** The same as one JSON object, with the place of the record. */
export function rawJson(record: RawRecord, startIndex: bigint): string | undefined {
  const { kind, file, offset, crc, computedCrc, type, data } = record;
  const json = new JsonObject()
    .requiredString('record', kind ?? 'unknown')
    .requiredString('file', file)
    .requiredNumber('offset', offset)
    .requiredNumber('crc', crc);
  if (computedCrc !== undefined) json.requiredNumber('computed_crc', computedCrc);
  if (kind === 'crc') return json.toString();
  const form = kind === undefined ? undefined : FORMS[kind];
  const message = form === undefined ? undefined : tryDecode(form.schema, data);
  if (form === undefined || message === undefined) {
    return json.requiredNumber('type', type).raw('data', jsonBytes(data)).toString();
  }
  if (isBelow(message, form.indexField, startIndex)) return undefined;
  const content = kind === 'entry' ? entryContentJson(data) : messageJson(message);
  return json.raw('content', content).toString();
}

function entryContentJson(data: Buffer): string {
  const entry = decodeEntry(data);
  return entryJson(entry, decodeEntryContent(entry)).toString();
}

function isBelow(message: DecodedMessage, field: string | undefined, startIndex: bigint): boolean {
  return field !== undefined && numberOf(message, field) < startIndex;
}

function tryDecode(schema: MessageSchema, data: Buffer): DecodedMessage | undefined {
  try {
    if (schema === ENTRY) decodeEntry(data);
    return decodeMessage(schema, data);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
