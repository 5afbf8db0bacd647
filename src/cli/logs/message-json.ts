import { isUtf8 } from 'node:buffer';
import {
  type DecodedMessage,
  type FieldSchema,
  type FieldValue,
  isZero,
} from '../../offline/logs/message-schema.js';
import { JsonObject, jsonArray, jsonBytes, jsonString } from '../printers/go-json.js';

/** Fields that hold keys, which are text more often than not. */
const KEY_FIELDS: ReadonlySet<string> = new Set(['key', 'range_end']);
/** Fields that nobody needs to see in a dump. */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['password', 'hashedPassword', 'simple_token']);
const REMOVED = '<value removed>';

/**
 * A message as JSON: the names of the .proto files, zero values left out, enums by name, bytes in
 * base64 as etcdctl writes them; beside a key that is readable stands its text, `key_text`. Passwords
 * are removed.
 */
export function messageJson(message: DecodedMessage): string {
  const json = new JsonObject();
  for (const field of message.schema.fields) {
    const values = message.values.get(field.name);
    if (values !== undefined) addField(json, field, values);
  }
  return json.toString();
}

function addField(json: JsonObject, field: FieldSchema, values: readonly FieldValue[]): void {
  const { name, rule } = field;
  if (rule === 'repeated') {
    json.raw(name, jsonArray(values.map((value) => valueJson(field, value))));
    return;
  }
  const [value] = values;
  if (value === undefined || (rule === 'single' && isZero(value))) return;
  json.raw(name, valueJson(field, value));
  if (KEY_FIELDS.has(name) && Buffer.isBuffer(value)) addText(json, name, value);
}

function valueJson({ name, type }: FieldSchema, value: FieldValue): string {
  if (Buffer.isBuffer(value)) {
    if (SECRET_FIELDS.has(name)) return jsonString(REMOVED);
    return type === 'bytes' ? jsonBytes(value) : jsonString(value.toString());
  }
  if (typeof value === 'object') return messageJson(value);
  const word = Array.isArray(type) ? type[Number(value)] : undefined;
  return word === undefined ? String(value) : jsonString(word);
}

/** `<name>_text`, if the bytes are text without control characters. */
function addText(json: JsonObject, name: string, bytes: Buffer): JsonObject {
  if (!isUtf8(bytes)) return json;
  const text = bytes.toString();
  return /\p{Cc}/u.test(text) ? json : json.requiredString(`${name}_text`, text);
}
