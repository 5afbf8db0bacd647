import type { GrpcCode } from '../../proto/errors.js';

/**
 * Records are gathered in pieces of this size, bytes; one that is larger has a piece of its own. To
 * hand a piece to another thread costs as much as hundreds of records.
 */
export const CHUNK_BYTES = 256 * 1024;

/** Before the records: base time on the wall clock in ms, and the number of records. */
const CHUNK_HEAD_BYTES = 16;
const COUNT_AT = 8;
/** Largest record that has room in an empty chunk of the usual size, bytes. */
export const USUAL_RECORD_BYTES = CHUNK_BYTES - CHUNK_HEAD_BYTES;
/** Of each record, before its bytes; see `#begin`. */
const RECORD_HEAD_BYTES = 16;
/** What an excerpt says besides: lengths of request and response, and the revision. */
const EXCERPT_HEAD_BYTES = 16;

/** What the bytes of a record are. */
export const RecordForm = {
  /** Members that name the caller of the records that follow. */
  Caller: 0,
  /** All members about the request. */
  Members: 1,
  /** An excerpt of the request, whose members are made on the other side. */
  Excerpt: 2,
} as const;
export type RecordForm = (typeof RecordForm)[keyof typeof RecordForm];

/** A piece is copied byte by byte up to this length: the call of a copy function costs more. */
const SHORT_BYTES = 128;
const LITTLE_ENDIAN = true;

/**
 * Facts about requests on their way to the thread that makes lines of them: in bytes, which can be
 * shared with it, and which leave nothing for the garbage collector. Each chunk can be read alone.
 * Records are small, because what one core wrote is dear to another one.
 *
 * Times of records are single-precision: 24 bits of milliseconds since the chunk was begun, and of
 * the duration. That is exact to the microsecond for durations below 16 seconds.
 */
export class RecordChunk {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #length = CHUNK_HEAD_BYTES;
  #records = 0;
  #base = 0;
  #caller: Buffer | undefined;

  /** @param recordBytes that the first record takes; see {@link recordBytes} */
  constructor(recordBytes = 0) {
    const size = Math.max(CHUNK_HEAD_BYTES + recordBytes, CHUNK_BYTES);
    this.#bytes = Buffer.from(new SharedArrayBuffer(size));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Whether it is of the usual size, so that it may be used again. */
  get isUsual(): boolean {
    return this.#bytes.length === CHUNK_BYTES;
  }

  /** Bytes in use. */
  get length(): number {
    return this.#length;
  }

  get records(): number {
    return this.#records;
  }

  /** What is in use, for the reader; nothing can be added any more. */
  close(): Uint8Array {
    this.#view.setUint32(COUNT_AT, this.#records, LITTLE_ENDIAN);
    return new Uint8Array(this.#bytes.buffer, 0, this.#length);
  }

  /**
   * Begins anew.
   * @param base now, on the monotonic clock, ms
   * @param wallBase the same time on the wall clock, ms
   */
  reset(base: number, wallBase: number): void {
    this.#view.setFloat64(0, wallBase, LITTLE_ENDIAN);
    this.#length = CHUNK_HEAD_BYTES;
    this.#records = 0;
    this.#base = base;
    this.#caller = undefined;
  }

  /** Whether a record that takes so many bytes has room; see {@link recordBytes}. */
  fits(recordBytes: number): boolean {
    return this.#length + recordBytes <= this.#bytes.length;
  }

  /** A record whose members are made. @param memberBytes their length in UTF-8 */
  addMembers(
    method: number,
    code: GrpcCode,
    started: number,
    ended: number,
    caller: Buffer,
    members: string,
    memberBytes: number,
  ): void {
    this.#by(caller);
    this.#begin(RecordForm.Members, method, code, memberBytes, started, ended);
    this.#length += this.#bytes.write(members, this.#length);
    this.#records += 1;
  }

  /**
   * A record of a request that was carried out, without the part of the request from `cut` to
   * `cutEnd`.
   */
  addExcerpt(
    method: number,
    started: number,
    ended: number,
    caller: Buffer,
    request: Uint8Array,
    cut: number,
    cutEnd: number,
    responseBytes: number,
    revision: number,
  ): void {
    this.#by(caller);
    const bytes = cut + request.length - cutEnd;
    this.#begin(RecordForm.Excerpt, method, 0, bytes, started, ended);
    const view = this.#view;
    const at = this.#length;
    view.setUint32(at, request.length, LITTLE_ENDIAN);
    view.setUint32(at + 4, responseBytes, LITTLE_ENDIAN);
    view.setFloat64(at + 8, revision, LITTLE_ENDIAN);
    this.#length = at + EXCERPT_HEAD_BYTES;
    this.#copy(request, 0, cut);
    if (cutEnd < request.length) this.#copy(request, cutEnd, request.length);
    this.#records += 1;
  }

  #by(caller: Buffer): void {
    if (caller === this.#caller) return;
    this.#caller = caller;
    this.#begin(RecordForm.Caller, 0, 0, caller.length, this.#base, this.#base);
    this.#copy(caller, 0, caller.length);
  }

  #begin(
    form: RecordForm,
    method: number,
    code: number,
    bytes: number,
    started: number,
    ended: number,
  ): void {
    const view = this.#view;
    const at = this.#length;
    view.setUint8(at, form);
    view.setUint8(at + 1, code);
    view.setUint16(at + 2, method, LITTLE_ENDIAN);
    view.setUint32(at + 4, bytes, LITTLE_ENDIAN);
    view.setFloat32(at + 8, ended - this.#base, LITTLE_ENDIAN);
    view.setFloat32(at + 12, ended - started, LITTLE_ENDIAN);
    this.#length = at + RECORD_HEAD_BYTES;
  }

  #copy(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    if (end - start > SHORT_BYTES) {
      bytes.set(source.subarray(start, end), at);
      at += end - start;
    } else {
      for (let from = start; from < end; from++) bytes[at++] = source[from] ?? 0;
    }
    this.#length = at;
  }
}

/** Bytes that a record takes at most, with its caller. */
export function recordBytes(caller: Buffer, bytes: number): number {
  return 2 * RECORD_HEAD_BYTES + EXCERPT_HEAD_BYTES + caller.length + bytes;
}

/** Reads the records of a chunk, one after the other. */
export class ChunkReader {
  readonly bytes: Buffer;
  readonly records: number;
  readonly #view: DataView;
  readonly #wallBase: number;
  form: RecordForm = RecordForm.Caller;
  code = 0;
  method = 0;
  /** When the request ended, on the wall clock, whole ms. */
  endedMillis = 0;
  durationMillis = 0;
  /** Of excerpts. */
  requestBytes = 0;
  responseBytes = 0;
  /** Of excerpts; 0: there is none. */
  revision = 0;
  /** Where the bytes of the record begin and end. */
  start = 0;
  end = CHUNK_HEAD_BYTES;

  constructor({ buffer, byteOffset, length }: Uint8Array) {
    this.bytes = Buffer.from(buffer, byteOffset, length);
    this.#view = new DataView(buffer, byteOffset, length);
    this.#wallBase = this.#view.getFloat64(0, LITTLE_ENDIAN);
    this.records = this.#view.getUint32(COUNT_AT, LITTLE_ENDIAN);
  }

  /** Goes to the next record, if there is one. */
  next(): boolean {
    const view = this.#view;
    const at = this.end;
    if (at >= this.bytes.length) return false;
    this.form = view.getUint8(at) as RecordForm;
    this.code = view.getUint8(at + 1);
    this.method = view.getUint16(at + 2, LITTLE_ENDIAN);
    const length = view.getUint32(at + 4, LITTLE_ENDIAN);
    const ended = this.#wallBase + view.getFloat32(at + 8, LITTLE_ENDIAN);
    // To the microsecond first: what single precision adds or takes must not make time go back.
    this.endedMillis = Math.floor(Math.round(ended * 1000) / 1000);
    this.durationMillis = view.getFloat32(at + 12, LITTLE_ENDIAN);
    this.start = at + RECORD_HEAD_BYTES;
    if (this.form === RecordForm.Excerpt) {
      this.requestBytes = view.getUint32(this.start, LITTLE_ENDIAN);
      this.responseBytes = view.getUint32(this.start + 4, LITTLE_ENDIAN);
      this.revision = view.getFloat64(this.start + 8, LITTLE_ENDIAN);
      this.start += EXCERPT_HEAD_BYTES;
    }
    this.end = this.start + length;
    return true;
  }
}
