import type { RowVisitor } from './backend.js';

/*
 * The layout of LMDB's files: data format 2 on a 64-bit little-endian machine.
 */

/** The same on every platform, so that a data directory can move between them. */
export const LMDB_PAGE_BYTES = 4096;
/** Pages 0 and 1. */
export const META_PAGES = 2;
const DATA_FORMAT = 2;
const MAGIC = 0xbeefc0de;
const SWAPPED_MAGIC = 0xdec0efbe;
const MAGIC_OFFSET = 24;

/** Kinds of pages, as bits of the header's flags. */
export const LmdbPageKind = { branch: 0x01, leaf: 0x02, overflow: 0x04, meta: 0x08 } as const;

/**
 * Page header: number 8, transaction 8, padding 2, flags 2, lower 2, upper 2. The bounds of the
 * free space, and the pointers to nodes that follow, count from the end of the header. An overflow
 * page has its number of pages, 4 bytes, instead of the bounds.
 */
export const PAGE_HEADER_BYTES = 24;
/** Node header: low and high half of a size or page number 2 + 2, flags 2, key size 2. */
const NODE_HEADER_BYTES = 8;
/** Room for pointers and nodes. */
const NODE_SPACE_BYTES = LMDB_PAGE_BYTES - PAGE_HEADER_BYTES;
const NODE_ON_OVERFLOW_PAGES = 0x01;
const NODE_IS_TABLE = 0x02;
/** Record of a tree: padding 4, flags 2, depth 2, three counts and the entries 32, root 8. */
const TREE_RECORD_BYTES = 48;
/** Where a value is that does not fit into a leaf: first page 8, transaction 8, pages 8. */
const OVERFLOW_RECORD_BYTES = 24;
/** Deeper trees do not fit into the address space. */
const MAX_TREE_DEPTH = 32;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;

/** An LMDB file that cannot be what it claims to be. */
export class LmdbFileError extends Error {
  override readonly name = 'LmdbFileError';
  readonly file: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** What is wrong, without the place. */
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file}: ${reason} (offset ${offset})`);
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** A tree of pairs. */
export interface LmdbTree {
  /** How LMDB compares its keys and keeps its values; 0: as bytes, one value for a key. */
  readonly flags: number;
  /** Levels; 1: the root is a leaf. */
  readonly depth: number;
  /** Undefined: the tree is empty. */
  readonly root: number | undefined;
  /** Pairs in all its leaves. */
  readonly entries: number;
}

/** What pages 0 and 1 say of the file. */
export interface LmdbMeta {
  readonly transaction: number;
  readonly lastPage: number;
  readonly freePages: LmdbTree;
  /** Its leaves hold the trees of the named tables. */
  readonly tables: LmdbTree;
}

/** A page that was read, with its place. */
export interface LmdbPage {
  readonly file: string;
  readonly number: number;
  readonly bytes: Buffer;
}

/** A value that lies on pages of its own. */
export interface OverflowValue {
  readonly first: number;
  readonly pages: number;
  /** Length of the value. */
  readonly bytes: number;
}

export interface LmdbLeafNode {
  /** From the start of the page. */
  readonly offset: number;
  readonly key: Buffer;
  readonly value: Buffer | OverflowValue | LmdbTree;
  readonly kind: 'value' | 'overflow' | 'table';
}

export interface LmdbBranchNode {
  readonly offset: number;
  /** Empty in the first node of a page: it stands for the lowest key. */
  readonly key: Buffer;
  readonly child: number;
}

/** Whether a file begins as LMDB's do, by its first bytes. */
export function looksLikeLmdb(head: Buffer): boolean {
  if (head.length < MAGIC_OFFSET + 4) return false;
  const magic = head.readUInt32LE(MAGIC_OFFSET);
  return magic === MAGIC || magic === SWAPPED_MAGIC;
}

/** @throws LmdbFileError */
export function decodeLmdbMeta(page: LmdbPage): LmdbMeta {
  const { bytes, number } = page;
  if (bytes.length < LMDB_PAGE_BYTES) {
    throw lmdbError(page, bytes.length, 'the file is shorter than its two meta pages');
  }
  const magic = bytes.readUInt32LE(MAGIC_OFFSET);
  if (magic === SWAPPED_MAGIC) {
    throw lmdbError(page, MAGIC_OFFSET, 'it was written by a machine of another byte order');
  }
  if (magic !== MAGIC || (flagsOf(bytes) & LmdbPageKind.meta) === 0) {
    throw lmdbError(page, 0, `meta page ${number} has not the mark of an LMDB file`);
  }
  const format = bytes.readUInt16LE(28);
  if (format !== DATA_FORMAT) {
    throw lmdbError(page, 28, `LMDB data format ${format}, expected ${DATA_FORMAT}`);
  }
  const pageBytes = bytes.readUInt32LE(48);
  if (pageBytes !== LMDB_PAGE_BYTES) {
    throw lmdbError(page, 48, `pages of ${pageBytes} bytes, expected ${LMDB_PAGE_BYTES}`);
  }
  return {
    freePages: decodeTree(page, 48),
    tables: decodeTree(page, 48 + TREE_RECORD_BYTES),
    lastPage: Number(bytes.readBigUInt64LE(144)),
    transaction: Number(bytes.readBigUInt64LE(152)),
  };
}

/** The number that a page says it has. */
export function pageNumberOf(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE(0));
}

/** The transaction that wrote a page. */
export function transactionOf(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE(8));
}

export function flagsOf(bytes: Buffer): number {
  return bytes.readUInt16LE(18);
}

/** How many pages the value on an overflow page takes. */
export function overflowPagesOf(bytes: Buffer): number {
  return bytes.readUInt32LE(20);
}

/** @throws LmdbFileError */
export function decodeLmdbBranch(page: LmdbPage): LmdbBranchNode[] {
  const nodes = nodeOffsets(page).map((offset) => {
    return { offset, key: keyAt(page, offset), child: childAt(page, offset) };
  });
  requireNoGaps(page, nodes, ({ key }) => key.length);
  return nodes;
}

/**
 * The pages below a branch, without a look at its keys.
 * @throws LmdbFileError
 */
export function lmdbChildren(page: LmdbPage): number[] {
  return nodeOffsets(page).map((offset) => childAt(page, offset));
}

function childAt({ bytes }: LmdbPage, offset: number): number {
  return bytes.readUInt32LE(offset) + bytes.readUInt16LE(offset + 4) * 2 ** 32;
}

/**
 * The pairs of a leaf, views of the page.
 * @throws LmdbFileError
 */
export function decodeLmdbLeaf(page: LmdbPage): LmdbLeafNode[] {
  const nodes = nodeOffsets(page).map((offset) => decodeLeafNode(page, offset));
  requireNoGaps(page, nodes, ({ key, kind, value }) => key.length + BYTES_IN_LEAF[kind](value));
  return nodes;
}

/** Offsets of the nodes of one page, sorted; a page has no room for more. */
const SORTED_OFFSETS = new Uint16Array(LMDB_PAGE_BYTES / 2);

/**
 * Checks a leaf of rows as {@link decodeLmdbLeaf} does, making nothing of them, and that the keys
 * ascend bytewise if `isOrdered`.
 * @param onLarge gets the values that have pages of their own
 * @returns how many rows it has
 * @throws LmdbFileError
 */
export function checkLmdbLeaf(
  page: LmdbPage,
  isOrdered: boolean,
  onLarge: (value: OverflowValue) => void,
): number {
  const { bytes } = page;
  const { lower, upper } = boundsOf(page);
  const offsets = SORTED_OFFSETS.subarray(0, lower / 2);
  let beforeStart = -1;
  let beforeEnd = -1;
  for (let row = 0; row < offsets.length; row++) {
    const offset = nodeOffset(page, 2 * row, upper);
    const start = offset + NODE_HEADER_BYTES;
    const end = start + bytes.readUInt16LE(offset + 6);
    if (end > LMDB_PAGE_BYTES) throw lmdbError(page, offset, 'a row reaches beyond its page');
    if (isOrdered && row > 0 && bytes.compare(bytes, start, end, beforeStart, beforeEnd) >= 0) {
      throw lmdbError(page, offset, `page ${page.number} has rows out of order`);
    }
    [beforeStart, beforeEnd] = [start, end];
    offsets[row] = offset;
  }
  offsets.sort();
  let next = PAGE_HEADER_BYTES + upper;
  for (const offset of offsets) {
    if (offset !== next) throw lmdbError(page, offset, 'a row does not follow another');
    const keyBytes = bytes.readUInt16LE(offset + 6);
    const flags = bytes.readUInt16LE(offset + 4);
    let valueBytes = bytes.readUInt32LE(offset);
    if (flags === NODE_ON_OVERFLOW_PAGES) {
      valueBytes = OVERFLOW_RECORD_BYTES;
      onLarge(decodeLeafNode(page, offset).value as OverflowValue);
    } else if (flags !== 0) {
      throw lmdbError(page, offset, `a row of an unknown kind (flags ${flags})`);
    }
    const length = NODE_HEADER_BYTES + keyBytes + valueBytes;
    next += length + (length % 2);
  }
  if (next !== LMDB_PAGE_BYTES) throw lmdbError(page, 22, `page ${page.number} misses a row`);
  return offsets.length;
}

/**
 * Shows the pairs of a leaf where they lie, without the checks that a file needs that was not read
 * before.
 * @param visitLarge is shown a key, and where its value is, if that is on pages of its own
 * @throws LmdbFileError if a row reaches beyond its page
 */
export function visitLmdbRows(
  page: LmdbPage,
  visit: RowVisitor,
  visitLarge: (keyAt: number, keyEnd: number, value: OverflowValue) => void,
): void {
  const { bytes } = page;
  const pointers = PAGE_HEADER_BYTES + bytes.readUInt16LE(20);
  for (let pointer = PAGE_HEADER_BYTES; pointer < pointers; pointer += 2) {
    const offset = PAGE_HEADER_BYTES + bytes.readUInt16LE(pointer);
    const keyAt = offset + NODE_HEADER_BYTES;
    const keyEnd = keyAt + bytes.readUInt16LE(offset + 6);
    if (bytes.readUInt16LE(offset + 4) !== 0) {
      const { kind, value } = decodeLeafNode(page, offset);
      if (kind !== 'overflow') throw lmdbError(page, offset, 'a table within a table');
      visitLarge(keyAt, keyEnd, value as OverflowValue);
      continue;
    }
    const end = keyEnd + bytes.readUInt32LE(offset);
    if (end > LMDB_PAGE_BYTES) throw lmdbError(page, offset, 'a row reaches beyond its page');
    visit(bytes, keyAt, keyEnd, end);
  }
}

const BYTES_IN_LEAF: Readonly<
  Record<LmdbLeafNode['kind'], (value: LmdbLeafNode['value']) => number>
> = {
  value: (value) => (value as Buffer).length,
  overflow: () => OVERFLOW_RECORD_BYTES,
  table: () => TREE_RECORD_BYTES,
};

/**
 * LMDB keeps the nodes of a page together at its end, each at an even place: a wrong length, or a row
 * that is missing, is told by that.
 */
function requireNoGaps<Node extends { readonly offset: number }>(
  page: LmdbPage,
  nodes: readonly Node[],
  bytesOf: (node: Node) => number,
): void {
  let end = PAGE_HEADER_BYTES + page.bytes.readUInt16LE(22);
  for (const node of nodes.toSorted((a, b) => a.offset - b.offset)) {
    if (node.offset !== end) throw lmdbError(page, node.offset, 'a row does not follow another');
    const bytes = NODE_HEADER_BYTES + bytesOf(node);
    end += bytes + (bytes % 2);
  }
  if (end !== LMDB_PAGE_BYTES) throw lmdbError(page, 22, `page ${page.number} misses a row`);
}

export function lmdbError(
  { file, number }: Omit<LmdbPage, 'bytes'>,
  at: number,
  reason: string,
): LmdbFileError {
  return new LmdbFileError(file, number * LMDB_PAGE_BYTES + at, reason);
}

function decodeLeafNode(page: LmdbPage, offset: number): LmdbLeafNode {
  const { bytes } = page;
  const key = keyAt(page, offset);
  const flags = bytes.readUInt16LE(offset + 4);
  const size = bytes.readUInt32LE(offset);
  const data = offset + NODE_HEADER_BYTES + key.length;
  const isOverflow = (flags & NODE_ON_OVERFLOW_PAGES) !== 0;
  if (data + (isOverflow ? OVERFLOW_RECORD_BYTES : size) > LMDB_PAGE_BYTES) {
    throw lmdbError(page, offset, 'a row reaches beyond its page');
  }
  if (isOverflow) {
    const first = Number(bytes.readBigUInt64LE(data));
    const pages = Number(bytes.readBigUInt64LE(data + 16));
    if (pages * LMDB_PAGE_BYTES < PAGE_HEADER_BYTES + size) {
      throw lmdbError(page, offset, `a value of ${size} bytes on ${pages} pages`);
    }
    return { offset, key, kind: 'overflow', value: { first, pages, bytes: size } };
  }
  if ((flags & NODE_IS_TABLE) !== 0) {
    if (size !== TREE_RECORD_BYTES) {
      throw lmdbError(page, offset, 'the record of a table has a wrong size');
    }
    return { offset, key, kind: 'table', value: decodeTree(page, data) };
  }
  return { offset, key, kind: 'value', value: bytes.subarray(data, data + size) };
}

function keyAt(page: LmdbPage, offset: number): Buffer {
  const start = offset + NODE_HEADER_BYTES;
  const end = start + page.bytes.readUInt16LE(offset + 6);
  if (end > LMDB_PAGE_BYTES) throw lmdbError(page, offset, 'a row reaches beyond its page');
  return page.bytes.subarray(start, end);
}

function decodeTree(page: LmdbPage, offset: number): LmdbTree {
  const flags = page.bytes.readUInt16LE(offset + 4);
  const depth = page.bytes.readUInt16LE(offset + 6);
  const root = page.bytes.readBigUInt64LE(offset + 40);
  if (depth > MAX_TREE_DEPTH) throw lmdbError(page, offset, `a tree of ${depth} levels`);
  const entries = Number(page.bytes.readBigUInt64LE(offset + 32));
  if ((root === NO_ROOT) !== (entries === 0) || (root === NO_ROOT) !== (depth === 0)) {
    throw lmdbError(page, offset, `a tree of ${entries} rows on ${depth} levels`);
  }
  return { flags, depth, entries, root: root === NO_ROOT ? undefined : Number(root) };
}

/** Offsets of the nodes of a page. */
function nodeOffsets(page: LmdbPage): number[] {
  const { lower, upper } = boundsOf(page);
  const nodes: number[] = [];
  for (let pointer = 0; pointer < lower; pointer += 2) {
    nodes.push(nodeOffset(page, pointer, upper));
  }
  return nodes;
}

/** Where the free space of a page begins and ends, from the end of its header. */
function boundsOf(page: LmdbPage): { lower: number; upper: number } {
  const lower = page.bytes.readUInt16LE(20);
  const upper = page.bytes.readUInt16LE(22);
  if (lower > upper || upper > NODE_SPACE_BYTES || lower % 2 !== 0) {
    throw lmdbError(page, 20, `page ${page.number} has impossible bounds ${lower} and ${upper}`);
  }
  return { lower, upper };
}

function nodeOffset(page: LmdbPage, pointer: number, upper: number): number {
  const node = page.bytes.readUInt16LE(PAGE_HEADER_BYTES + pointer);
  if (node < upper || node + NODE_HEADER_BYTES > NODE_SPACE_BYTES) {
    const at = PAGE_HEADER_BYTES + pointer;
    throw lmdbError(page, at, `page ${page.number} has a row outside of itself`);
  }
  return PAGE_HEADER_BYTES + node;
}
