import { decodeHuffman } from './huffman.js';

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** Octets that an entry of the dynamic table counts beyond its name and value (RFC 7541, 4.1). */
const ENTRY_OVERHEAD = 32;
const DEFAULT_TABLE_SIZE = 4096;

/** RFC 7541, appendix A, in order; index 1 is the first. */
const STATIC_TABLE: readonly HeaderField[] = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`
  .split('\n')
  .map((line) => {
    const space = line.indexOf(' ');
    return space < 0
      ? { name: line, value: '' }
      : { name: line.slice(0, space), value: line.slice(space + 1) };
  });

/** Decodes the header blocks of one direction of one connection (RFC 7541). */
export class HeaderDecoder {
  /** Newest entry first. */
  readonly #dynamic: HeaderField[] = [];
  #size = 0;
  #capacity = DEFAULT_TABLE_SIZE;
  #block: Buffer = Buffer.alloc(0);
  #position = 0;

  /** Calls `visit` for each field of the block; throws an Error if the block is malformed. */
  decode(block: Buffer, start: number, end: number, visit: (field: HeaderField) => void): void {
    this.#block = block;
    this.#position = start;
    while (this.#position < end) {
      const first = block.readUInt8(this.#position);
      if (first >= 0x80) {
        visit(this.#entry(this.#integer(7)));
      } else if (first >= 0x40) {
        const field = this.#literal(6);
        this.#remember(field);
        visit(field);
      } else if (first >= 0x20) {
        this.#capacity = this.#integer(5);
        this.#evict();
      } else {
        visit(this.#literal(4));
      }
    }
    if (this.#position !== end) throw new Error('HPACK: truncated header block');
  }

  #entry(index: number): HeaderField {
    const field =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#dynamic[index - STATIC_TABLE.length - 1];
    if (field === undefined) throw new Error(`HPACK: no table entry ${index}`);
    return field;
  }

  #literal(prefixBits: number): HeaderField {
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : this.#entry(index).name;
    return { name, value: this.#string() };
  }

  #string(): string {
    const isHuffman = this.#block.readUInt8(this.#position) >= 0x80;
    const length = this.#integer(7);
    const start = this.#position;
    this.#position += length;
    return isHuffman
      ? decodeHuffman(this.#block, start, this.#position)
      : this.#block.toString('latin1', start, this.#position);
  }

  #integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#block.readUInt8(this.#position++) & limit;
    if (value < limit) return value;
    let factor = 1;
    for (;;) {
      const byte = this.#block.readUInt8(this.#position++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
  }

  #remember(field: HeaderField): void {
    this.#dynamic.unshift(field);
    this.#size += field.name.length + field.value.length + ENTRY_OVERHEAD;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#capacity) {
      const oldest = this.#dynamic.pop();
      if (oldest === undefined) return;
      this.#size -= oldest.name.length + oldest.value.length + ENTRY_OVERHEAD;
    }
  }
}

/**
 * The header block of a gRPC request, all literals without indexing, so that the same bytes serve
 * for every request of every connection.
 */
export function encodeRequestHeaders(path: string, authority: string): Buffer {
  const METHOD_POST = 0x83;
  const SCHEME_HTTP = 0x86;
  return Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP]),
    literal(':path', path),
    literal(':authority', authority),
    literal('content-type', 'application/grpc'),
    literal('user-agent', 'etcdkit-bench'),
    literal('te', 'trailers'),
  ]);
}

function literal(name: string, value: string): Buffer {
  const index = STATIC_TABLE.findIndex((entry) => entry.name === name) + 1;
  const prefix = index === 0 ? [Buffer.from([0]), plainString(name)] : [encodeIndex(index)];
  return Buffer.concat([...prefix, plainString(value)]);
}

/** An integer with a prefix of four bits; static indexes fit into two octets. */
function encodeIndex(index: number): Buffer {
  return Buffer.from(index < 15 ? [index] : [15, index - 15]);
}

function plainString(text: string): Buffer {
  if (text.length >= 127) throw new RangeError('header strings here are shorter than 127 octets');
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
}
