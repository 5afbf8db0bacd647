import { DecodeError } from '../../proto/decode-error.js';
import { grpcCodeName } from '../../proto/errors.js';
import { SERVICES } from '../../proto/services.js';
import { BinaryReader } from '../../proto/wire/reader.js';
import { fieldEnd } from './excerpts.js';
import { type AuditField, readFields } from './field-scan.js';
import { LineBuffer } from './line-buffer.js';
import { METHOD_PATHS, methodNumber, REQUEST_FIELDS, shortMethod } from './method-fields.js';
import { type ChunkReader, RecordForm } from './record-chunk.js';

const KEY = (1 << 3) | 2;
/** Lengths up to here take one byte. */
const MAX_SHORT_LENGTH = 0x7f;
const QUOTE = Buffer.from('"');
const KEY_MEMBER = Buffer.from(',"key":"');
const REVISION = Buffer.from(',"revision":');
const REQUEST_BYTES = Buffer.from(',"request_bytes":');
const RESPONSE_BYTES = Buffer.from(',"response_bytes":');
const MILLIS = Buffer.from(',"ms":');
const POINT = Buffer.from('.');
const END = Buffer.from('}\n');
/** The names of gRPC codes, as members; there are 17 of them. */
const CODES = Array.from({ length: 17 }, (_, code) =>
  Buffer.from(`,"code":"${grpcCodeName(code)}"`),
);

const METHODS: readonly string[] = METHOD_PATHS.map((path) => JSON.stringify(shortMethod(path)));

/** Of methods whose records carry excerpts: what is told of the request, and what besides the key. */
interface ExcerptFields {
  readonly all: readonly AuditField[];
  readonly keyAndOthers: readonly AuditField[];
}

/** Makes lines of records, on a thread of its own or where the server has only one. */
export class LineFormatter {
  readonly #line = new LineBuffer();
  readonly #fields: ReadonlyMap<number, ExcerptFields>;
  /** What the line before began with, up to and with the caller, and what it was made of. */
  #head: Buffer = Buffer.alloc(0);
  #headMillis = Number.NaN;
  #headMethod = -1;
  #headCaller = '';
  #keyRepeats = false;
  #reader: BinaryReader | undefined;

  constructor() {
    const repeatedKey: AuditField = {
      tag: KEY,
      absent: '',
      read: (reader) => {
        this.#keyRepeats = true;
        reader.skip(KEY);
        return '';
      },
    };
    this.#fields = new Map(
      [SERVICES.kv.put.path, SERVICES.kv.range.path].map((path) => {
        const all = REQUEST_FIELDS.get(path) ?? [];
        const keyAndOthers = [repeatedKey, ...all.filter(({ tag }) => tag !== KEY)];
        return [methodNumber(path), { all, keyAndOthers }];
      }),
    );
  }

  /**
   * The lines of a chunk as UTF-8, in memory that the next call uses anew.
   * @param from records that are left out
   */
  format(record: ChunkReader, from: number): Buffer {
    const line = this.#line;
    line.length = 0;
    let caller = '';
    let position = 0;
    while (record.next()) {
      const { bytes, start, end, form } = record;
      if (form === RecordForm.Caller) {
        caller = bytes.toString('utf8', start, end);
        continue;
      }
      position += 1;
      if (position <= from) continue;
      this.#writeHead(record, caller);
      if (form === RecordForm.Excerpt) this.#writeExcerpt(record);
      else line.copy(bytes, start, end);
      this.#writeTail(record);
    }
    return line.content;
  }

  /** Successive lines often begin with the same. */
  #writeHead({ method, endedMillis }: ChunkReader, caller: string): void {
    if (
      endedMillis !== this.#headMillis ||
      method !== this.#headMethod ||
      caller !== this.#headCaller
    ) {
      const time = new Date(endedMillis).toISOString();
      this.#head = Buffer.from(`{"time":"${time}","method":${METHODS[method]}${caller}`);
      this.#headMillis = endedMillis;
      this.#headMethod = method;
      this.#headCaller = caller;
    }
    this.#line.copy(this.#head);
  }

  #writeExcerpt({
    bytes,
    start,
    end,
    method,
    revision,
    requestBytes,
    responseBytes,
  }: ChunkReader): void {
    const line = this.#line;
    const fields = this.#fields.get(method);
    if (fields !== undefined && start < end) {
      const before = line.length;
      if (!this.#writeKeyFirst(bytes, start, end, fields.keyAndOthers)) {
        line.length = before;
        line.text(this.#membersOf(bytes, start, end, fields.all));
      }
    }
    if (revision !== 0) {
      line.copy(REVISION);
      line.number(revision);
    }
    line.copy(REQUEST_BYTES);
    line.number(requestBytes);
    line.copy(RESPONSE_BYTES);
    line.number(responseBytes);
  }

  /** The quick way: false if the request does not begin with its only key, or that is not plain. */
  #writeKeyFirst(
    bytes: Buffer,
    start: number,
    end: number,
    keyAndOthers: readonly AuditField[],
  ): boolean {
    if (bytes[start] !== KEY || (bytes[start + 1] ?? 0) > MAX_SHORT_LENGTH) return false;
    const keyEnd = fieldEnd(bytes, start);
    if (keyEnd < 0 || keyEnd > end || keyEnd === start + 2) return false;
    this.#line.copy(KEY_MEMBER);
    if (!this.#line.copyPlain(bytes, start + 2, keyEnd)) return false;
    this.#line.copy(QUOTE);
    if (keyEnd === end) return true;
    this.#keyRepeats = false;
    const others = this.#membersOf(bytes, keyEnd, end, keyAndOthers);
    if (others !== '') this.#line.text(others);
    return !this.#keyRepeats;
  }

  /** Bytes that are no message have no members. */
  #membersOf(bytes: Buffer, start: number, end: number, fields: readonly AuditField[]): string {
    let reader = this.#reader;
    // After an error a reader is of no further use.
    if (reader?.buf !== bytes) reader = new BinaryReader(bytes);
    this.#reader = undefined;
    reader.pos = start;
    reader.len = end;
    try {
      const members = readFields(reader, fields);
      this.#reader = reader;
      return members;
    } catch (error) {
      if (error instanceof DecodeError) return '';
      throw error;
    }
  }

  #writeTail({ code, durationMillis }: ChunkReader): void {
    const line = this.#line;
    line.copy(CODES[code] ?? Buffer.from(`,"code":"${grpcCodeName(code)}"`));
    line.copy(MILLIS);
    const micros = Math.round(durationMillis * 1000);
    const millis = Math.trunc(micros / 1000);
    line.number(millis);
    line.copy(POINT);
    line.number(micros - millis * 1000, 3);
    line.copy(END);
  }
}
