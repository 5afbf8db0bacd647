import { decodeHuffman, HuffmanError } from './huffman.js';

/** One field of a header list; one Latin-1 character for each byte. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** A header block that breaks RFC 7541: the connection cannot go on. */
export class HpackError extends Error {
  constructor(what: string) {
    super(`HPACK: ${what}`);
    this.name = 'HpackError';
  }
}

/** A header list beyond the size that its reader allows. */
export class HeaderListTooLargeError extends Error {
  constructor(limit: number) {
    super(`header list of more than ${limit} octets`);
    this.name = 'HeaderListTooLargeError';
  }
}

/** Octets that a field counts beyond its name and value (RFC 7541, 4.1). */
const FIELD_OVERHEAD = 32;
/** Size of the dynamic table where the settings say nothing else, octets. */
export const DEFAULT_TABLE_BYTES = 4096;
/** Octets of an integer after the first: four hold 28 bits, more than any length here. */
const MAX_INTEGER_OCTETS = 4;

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

const sizeOf = ({ name, value }: HeaderField): number =>
  name.length + value.length + FIELD_OVERHEAD;

/** Decodes the header blocks of one direction of one connection (RFC 7541). */
export class HeaderDecoder {
  readonly #maxListBytes: number;
  /** Oldest entry first; those before `#first` are evicted. */
  #dynamic: HeaderField[] = [];
  #first = 0;
  #tableBytes = 0;
  #capacity = DEFAULT_TABLE_BYTES;
  #version = 0;
  #usedTable = false;
  #block: Buffer = Buffer.alloc(0);
  #position = 0;
  #end = 0;

  /** @param maxListBytes largest header list, octets as RFC 7541 counts them */
  constructor(maxListBytes: number = Number.POSITIVE_INFINITY) {
    this.#maxListBytes = maxListBytes;
  }

  /** Changes whenever a block changes the dynamic table. */
  get version(): number {
    return this.#version;
  }

  /** Whether the last block referred to the dynamic table. */
  get usedTable(): boolean {
    return this.#usedTable;
  }

  /**
   * Calls `visit` for each field of the block, in order.
   * @throws HpackError, HeaderListTooLargeError; the table is of no use afterwards
   */
  decode(block: Buffer, start: number, end: number, visit: (field: HeaderField) => void): void {
    this.#block = block;
    this.#position = start;
    this.#end = end;
    this.#usedTable = false;
    let listBytes = 0;
    while (this.#position < end) {
      const first = block[this.#position] ?? 0;
      if (first >= 0x20 && first < 0x40) {
        if (listBytes > 0) throw new HpackError('table size update after a field');
        this.#resize(this.#integer(5));
        continue;
      }
      const field = first >= 0x80 ? this.#entry(this.#integer(7)) : this.#literal(first);
      listBytes += sizeOf(field);
      if (listBytes > this.#maxListBytes) throw new HeaderListTooLargeError(this.#maxListBytes);
      visit(field);
    }
  }

  #literal(first: number): HeaderField {
    const isIndexed = first >= 0x40;
    const index = this.#integer(isIndexed ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#entry(index).name;
    const field = { name, value: this.#string() };
    if (isIndexed) this.#remember(field);
    return field;
  }

  #entry(index: number): HeaderField {
    const isStatic = index <= STATIC_TABLE.length;
    this.#usedTable ||= !isStatic;
    const position = this.#dynamic.length - (index - STATIC_TABLE.length);
    const field = isStatic
      ? STATIC_TABLE[index - 1]
      : position >= this.#first
        ? this.#dynamic[position]
        : undefined;
    if (field === undefined) throw new HpackError(`no table entry ${index}`);
    return field;
  }

  #string(): string {
    const isHuffman = (this.#block[this.#position] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const start = this.#position;
    if (length > this.#end - start) throw new HpackError('truncated string');
    this.#position += length;
    if (!isHuffman) return this.#block.toString('latin1', start, this.#position);
    try {
      return decodeHuffman(this.#block, start, this.#position);
    } catch (error) {
      if (error instanceof HuffmanError) throw new HpackError(error.message);
      throw error;
    }
  }

  #integer(prefixBits: number): number {
    const limit = 2 ** prefixBits - 1;
    let value = this.#octet() & limit;
    if (value < limit) return value;
    for (let octets = 0, factor = 1; octets < MAX_INTEGER_OCTETS; octets++, factor *= 128) {
      const octet = this.#octet();
      value += (octet & 0x7f) * factor;
      if (octet < 0x80) return value;
    }
    throw new HpackError('integer out of range');
  }

  #octet(): number {
    if (this.#position >= this.#end) throw new HpackError('truncated header block');
    return this.#block[this.#position++] ?? 0;
  }

  #resize(bytes: number): void {
    if (bytes > DEFAULT_TABLE_BYTES) throw new HpackError(`table size ${bytes} was not offered`);
    this.#version++;
    this.#capacity = bytes;
    this.#evict();
  }

  #remember(field: HeaderField): void {
    this.#version++;
    this.#dynamic.push(field);
    this.#tableBytes += sizeOf(field);
    this.#evict();
  }

  #evict(): void {
    while (this.#tableBytes > this.#capacity) {
      const oldest = this.#dynamic[this.#first++];
      if (oldest === undefined) break;
      this.#tableBytes -= sizeOf(oldest);
    }
    if (this.#first * 2 <= this.#dynamic.length) return;
    this.#dynamic = this.#dynamic.slice(this.#first);
    this.#first = 0;
  }
}

/**
 * A field as a literal without indexing: the same bytes do for every block of every connection.
 * Name and value are Latin-1.
 */
export function encodeHeader(name: string, value: string): Buffer {
  const index = STATIC_TABLE.findIndex((entry) => entry.name === name) + 1;
  const head = index === 0 ? [Buffer.of(0), encodeString(name)] : [encodeInteger(index, 4, 0)];
  return Buffer.concat([...head, encodeString(value)]);
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([encodeInteger(bytes.length, 7, 0), bytes]);
}

/** An integer with a prefix of that many bits; `pattern` fills the bits before them. */
export function encodeInteger(value: number, prefixBits: number, pattern: number): Buffer {
  const limit = 2 ** prefixBits - 1;
  if (value < limit) return Buffer.of(pattern | value);
  const octets = [pattern | limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push(0x80 | (rest & 0x7f));
  octets.push(rest);
  return Buffer.from(octets);
}
