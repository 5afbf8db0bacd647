import { quoteGo } from '../../base/go-format.js';
import type { EntryContent } from '../../offline/logs/decode-entry.js';
import {
  bytesOf,
  type DecodedMessage,
  messageOf,
  numberOf,
} from '../../offline/logs/message-schema.js';
import { CONF_CHANGE } from '../../offline/logs/request-schemas.js';
import type { EntryFields } from '../../proto/hot/entry.js';
import { JsonObject, jsonBytes } from '../printers/go-json.js';
import { messageJson } from './message-json.js';
import { protoText } from './proto-text.js';

const TERM_WIDTH = 4;
const INDEX_WIDTH = 10;
const NANOS_PER_SECOND = 1_000_000_000n;

export const ROW_HEADER = `${'term'.padStart(TERM_WIDTH)}\t${'index'.padStart(INDEX_WIDTH)}\ttype\tdata`;

/** The row of an entry, as etcd-dump-logs 3.6 prints it (reference: cli 11.1). */
export function entryRow({ term, index }: EntryFields, content: EntryContent): string {
  const place = `${String(term).padStart(TERM_WIDTH)}\t${String(index).padStart(INDEX_WIDTH)}`;
  const type = content.kind === 'conf' || content.kind === 'conf2' ? 'conf' : 'norm';
  return `${place}\t${type}\t${contentText(content)}`;
}

function contentText(content: EntryContent): string {
  switch (content.kind) {
    case 'request':
      return protoText(withoutNewPassword(content.request));
    case 'v2':
      return storeRequestText(content.request);
    case 'conf':
      return content.change === undefined ? '???' : changeText(content.change);
    default:
      return '???';
  }
}

/** Trap: that of a new user is shown, as in etcd-dump-logs. */
function withoutNewPassword(request: DecodedMessage): DecodedMessage {
  const change = messageOf(request, 'auth_user_change_password');
  if (change === undefined || bytesOf(change, 'password').length === 0) return request;
  const shown = new Map(change.values).set('password', [Buffer.from('<value removed>')]);
  const values = new Map(request.values);
  values.set('auth_user_change_password', [{ ...change, values: shown }]);
  return { ...request, values };
}

function storeRequestText(request: DecodedMessage): string {
  const method = bytesOf(request, 'Method').toString();
  const path = excerpt(bytesOf(request, 'Path'), 64, 64);
  switch (method) {
    case '':
      return 'noop';
    case 'SYNC':
      return `method=SYNC time="${goTime(numberOf(request, 'Time'))}"`;
    case 'QGET':
    case 'DELETE':
      return `method=${method} path=${path}`;
    default:
      return `method=${method} path=${path} val=${excerpt(bytesOf(request, 'Val'), 128, 0)}`;
  }
}

/** A long text by its beginning and its end, in bytes. */
function excerpt(bytes: Buffer, before: number, after: number): string {
  if (bytes.length < before + after) return quoteGo(bytes);
  const end = bytes.subarray(bytes.length - after);
  return `${quoteGo(bytes.subarray(0, before))}...${quoteGo(end)}`;
}

/** Nanoseconds since 1970 as Go prints a time: `1970-01-01 00:00:00.000000001 +0000 UTC`. */
function goTime(nanoseconds: bigint): string {
  const rest = ((nanoseconds % NANOS_PER_SECOND) + NANOS_PER_SECOND) % NANOS_PER_SECOND;
  const seconds = (nanoseconds - rest) / NANOS_PER_SECOND;
  const [day, time] = new Date(Number(seconds) * 1000).toISOString().split(/T|\./);
  const digits = String(rest).padStart(9, '0').replace(/0+$/, '');
  return `${day} ${time}${digits === '' ? '' : `.${digits}`} +0000 UTC`;
}

function changeText(change: DecodedMessage): string {
  return `method=${changeMethod(change)} id=${numberOf(change, 'node_id').toString(16)}`;
}

function changeMethod(change: DecodedMessage): string {
  const type = numberOf(change, 'type');
  const names = CONF_CHANGE.fields.find(({ name }) => name === 'type')?.type;
  return (Array.isArray(names) ? names[Number(type)] : undefined) ?? String(type);
}

/** An entry as one JSON object, to which a stream decoder's words may be added. */
export function entryJson(entry: EntryFields, content: EntryContent): JsonObject {
  const { term, index } = entry;
  const json = new JsonObject()
    .requiredString('record', 'entry')
    .requiredNumber('term', term)
    .requiredNumber('index', index);
  switch (content.kind) {
    case 'request':
      return addRequest(json.requiredString('type', 'norm'), content.request);
    case 'v2':
      return json
        .requiredString('type', 'norm')
        .requiredString('kind', 'v2_request')
        .raw('request', messageJson(content.request));
    case 'conf':
      return addChange(json.requiredString('type', 'conf'), entry, content.change);
    default:
      return json
        .requiredString('type', content.kind === 'conf2' ? 'conf' : 'norm')
        .requiredString('kind', 'unknown')
        .raw('data', jsonBytes(entry.data));
  }
}

/** `kind` is the name of the one request in it, `noop` without. */
function addRequest(json: JsonObject, message: DecodedMessage): JsonObject {
  const header = messageOf(message, 'header');
  const legacyId = numberOf(message, 'ID');
  const id = legacyId === 0n && header !== undefined ? numberOf(header, 'ID') : legacyId;
  const name = message.schema.fields.find(
    (field) => field.name !== 'header' && messageOf(message, field.name) !== undefined,
  )?.name;
  json.requiredString('kind', name ?? 'noop').number('id', id);
  if (header !== undefined) {
    json.string('username', bytesOf(header, 'username').toString());
    json.number('auth_revision', numberOf(header, 'auth_revision'));
  }
  const request = name === undefined ? undefined : messageOf(message, name);
  return json.message('request', request, messageJson);
}

function addChange(
  json: JsonObject,
  entry: EntryFields,
  change: DecodedMessage | undefined,
): JsonObject {
  if (change === undefined) {
    return json.requiredString('kind', 'unknown').raw('data', jsonBytes(entry.data));
  }
  const context = bytesOf(change, 'context');
  json
    .requiredString('kind', changeMethod(change))
    .number('id', numberOf(change, 'id'))
    .requiredString('member_id', numberOf(change, 'node_id').toString(16));
  const text = contextJson(context);
  return text === undefined ? json.bytes('context_bytes', context) : json.raw('context', text);
}

/**
 * The context of a change is JSON already. Trap: the ids in it are beyond 2^53, so it is passed on as
 * it is, not parsed and written anew.
 */
function contextJson(context: Buffer): string | undefined {
  const text = context.toString().trim();
  if (!text.startsWith('{') || /[\r\n]/.test(text)) return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    // What is no JSON is shown as bytes.
    return undefined;
  }
}
