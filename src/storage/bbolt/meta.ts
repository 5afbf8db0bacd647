import { encodePageHeader, PAGE_HEADER_BYTES, PageKind, readU64, writeU64 } from './page.js';

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const CHECKSUM_AT = 56;
/** Bytes of a meta page that mean something: its header and the meta behind it. */
export const META_PAGE_BYTES = PAGE_HEADER_BYTES + 64;
const FNV_OFFSET_BASIS = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const NO_FREELIST = 0xffff_ffff_ffff_ffffn;
const SMALLEST_PAGE_BYTES = 1024;
const LARGEST_PAGE_BYTES = 16 * 1024 * 1024;

/** What pages 0 and 1 say of the file (reference: formats 3.2). */
export interface BboltMeta {
  readonly pageBytes: number;
  /** Page of the tree that holds the buckets. */
  readonly root: number;
  /** Page of the stored freelist; undefined: none is stored. */
  readonly freelist: number | undefined;
  /** First page that was never allocated: the file has that many pages. */
  readonly highWaterMark: number;
  readonly transaction: bigint;
}

/** FNV-1a, 64 bits. */
export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = FNV_OFFSET_BASIS;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}

/** Writes a whole meta page but for the zeros behind it; `page` is 0 or 1. */
export function encodeMetaPage(target: Buffer, at: number, page: 0 | 1, meta: BboltMeta): void {
  encodePageHeader(target, at, { id: page, flags: PageKind.meta, count: 0, overflow: 0 });
  const body = target.subarray(at + PAGE_HEADER_BYTES, at + META_PAGE_BYTES);
  body.fill(0);
  body.writeUInt32LE(MAGIC, 0);
  body.writeUInt32LE(VERSION, 4);
  body.writeUInt32LE(meta.pageBytes, 8);
  writeU64(body, 16, meta.root);
  body.writeBigUInt64LE(meta.freelist === undefined ? NO_FREELIST : BigInt(meta.freelist), 32);
  writeU64(body, 40, meta.highWaterMark);
  body.writeBigUInt64LE(meta.transaction, 48);
  body.writeBigUInt64LE(fnv1a64(body.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
}

/** The meta of the page at `at`, or in bbolt's words what is wrong with it. */
export function decodeMetaPage(source: Buffer, at: number): BboltMeta | string {
  if (source.length < at + META_PAGE_BYTES) return 'invalid database';
  const body = source.subarray(at + PAGE_HEADER_BYTES, at + META_PAGE_BYTES);
  if (body.readUInt32LE(0) !== MAGIC) return 'invalid database';
  if (body.readUInt32LE(4) !== VERSION) return 'version mismatch';
  if (body.readBigUInt64LE(CHECKSUM_AT) !== fnv1a64(body.subarray(0, CHECKSUM_AT))) {
    return 'checksum error';
  }
  const pageBytes = body.readUInt32LE(8);
  if (!isPageSize(pageBytes)) return `page size ${pageBytes} is not supported`;
  const freelist = body.readBigUInt64LE(32);
  return {
    pageBytes,
    root: readU64(body, 16),
    freelist: freelist === NO_FREELIST ? undefined : Number(freelist),
    highWaterMark: readU64(body, 40),
    transaction: body.readBigUInt64LE(48),
  };
}

/** Where the second meta page may be if the first is damaged, bytes, ascending. */
export function secondMetaOffsets(): number[] {
  const offsets: number[] = [];
  for (let size = SMALLEST_PAGE_BYTES; size <= LARGEST_PAGE_BYTES; size *= 2) offsets.push(size);
  return offsets;
}

function isPageSize(bytes: number): boolean {
  const isPowerOfTwo = bytes > 0 && (bytes & (bytes - 1)) === 0;
  return isPowerOfTwo && bytes >= SMALLEST_PAGE_BYTES && bytes <= LARGEST_PAGE_BYTES;
}
