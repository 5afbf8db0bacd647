import {
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FLAG_PADDED,
  FLAG_PRIORITY,
  Http2Code,
} from '../../../base/http2/frames.js';
import {
  HeaderDecoder,
  type HeaderField,
  HeaderListTooLargeError,
  HpackError,
} from '../../../base/http2/hpack.js';
import { ConnectionError } from './connection-error.js';
import { HeadCache } from './head-cache.js';
import { MAX_CONTINUATIONS, MAX_HEADER_BLOCK_BYTES, MAX_HEADER_LIST_BYTES } from './limits.js';
import { type RequestHead, readRequestHead } from './request-head.js';

const PRIORITY_BYTES = 5;

/** A complete header block. */
export interface ReadHeaders {
  readonly streamId: number;
  readonly endStream: boolean;
  /** Undefined: it is no list of request headers (trailers are not, for one). */
  readonly head: RequestHead | undefined;
}

/** A header block of which a part has arrived. */
interface Unfinished {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly parts: Buffer[];
  bytes: number;
}

/** Reads the header blocks of one connection: puts them together, decodes them, remembers them. */
export class HeaderReader {
  readonly #decoder = new HeaderDecoder(MAX_HEADER_LIST_BYTES);
  readonly #cache = new HeadCache();
  #unfinished: Unfinished | undefined;

  /** A header block has begun: nothing but the rest of it may follow. */
  get isInside(): boolean {
    return this.#unfinished !== undefined;
  }

  /** Takes a HEADERS frame; undefined: more is to come. @throws ConnectionError */
  begin(
    streamId: number,
    flags: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): ReadHeaders | undefined {
    if (streamId === 0) throw new ConnectionError(Http2Code.ProtocolError, 'headers of no stream');
    let from = start;
    let to = end;
    if ((flags & FLAG_PADDED) !== 0) {
      to -= paddingOf(bytes, start, end);
      from += 1;
    }
    if ((flags & FLAG_PRIORITY) !== 0) from += PRIORITY_BYTES;
    if (from > to) throw new ConnectionError(Http2Code.ProtocolError, 'padding beyond the frame');
    const endStream = (flags & FLAG_END_STREAM) !== 0;
    if ((flags & FLAG_END_HEADERS) !== 0) {
      return { streamId, endStream, head: this.#read(bytes, from, to) };
    }
    const first = Buffer.from(bytes.subarray(from, to));
    this.#unfinished = { streamId, endStream, parts: [first], bytes: first.length };
    return undefined;
  }

  /** Takes a CONTINUATION frame; undefined: more is to come. @throws ConnectionError */
  resume(
    streamId: number,
    flags: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): ReadHeaders | undefined {
    const unfinished = this.#unfinished;
    if (unfinished === undefined || unfinished.streamId !== streamId) {
      throw new ConnectionError(Http2Code.ProtocolError, 'a continuation of nothing');
    }
    const { parts, endStream } = unfinished;
    parts.push(Buffer.from(bytes.subarray(start, end)));
    unfinished.bytes += end - start;
    if (unfinished.bytes > MAX_HEADER_BLOCK_BYTES || parts.length > MAX_CONTINUATIONS) {
      throw new ConnectionError(Http2Code.EnhanceYourCalm, 'too long a header block');
    }
    if ((flags & FLAG_END_HEADERS) === 0) return undefined;
    this.#unfinished = undefined;
    const block = Buffer.concat(parts);
    return { streamId, endStream, head: this.#read(block, 0, block.length) };
  }

  #read(bytes: Buffer, start: number, end: number): RequestHead | undefined {
    const decoder = this.#decoder;
    const before = decoder.version;
    const known = this.#cache.find(bytes, start, end, before);
    if (known !== undefined) return known;
    const fields: HeaderField[] = [];
    try {
      decoder.decode(bytes, start, end, (field) => fields.push(field));
    } catch (error) {
      throw connectionErrorOf(error);
    }
    const head = readRequestHead(fields);
    if (head !== undefined && decoder.version === before) {
      this.#cache.keep(bytes, start, end, head, decoder.usedTable ? before : -1);
    }
    return head;
  }
}

/**
 * Octets of padding at the end of a padded frame.
 * @throws ConnectionError if there is more of it than frame
 */
export function paddingOf(bytes: Buffer, start: number, end: number): number {
  const padding = bytes[start] ?? 0;
  if (end === start || padding > end - start - 1) {
    throw new ConnectionError(Http2Code.ProtocolError, 'padding beyond the frame');
  }
  return padding;
}

function connectionErrorOf(error: unknown): unknown {
  if (error instanceof HpackError) {
    return new ConnectionError(Http2Code.CompressionError, error.message);
  }
  if (error instanceof HeaderListTooLargeError) {
    return new ConnectionError(Http2Code.EnhanceYourCalm, error.message);
  }
  return error;
}
