import type { FileHandle, Fs } from '../../platform/fs.js';
import { BackendOpenError } from './backend.js';

/*
 * LMDB maps its file and trusts what it finds: a page that lies behind the end of the file, or a
 * branch page of garbage, ends the process with a signal. So the file is looked over before it is
 * mapped. The layout is that of LMDB's data format 2 on a 64-bit little-endian machine.
 */

const PAGE_BYTES = 4096;
const META_PAGES = 2;
const DATA_FORMAT = 2;
const MAGIC = 0xbeefc0de;
const SWAPPED_MAGIC = 0xdec0efbe;

const PAGE_BRANCH = 0x01;
const PAGE_LEAF = 0x02;
const PAGE_META = 0x08;

/**
 * Page header: number 8, transaction 8, padding 2, flags 2, lower 2, upper 2. The bounds of the
 * free space, and the pointers to nodes that follow, count from the end of the header.
 */
const PAGE_HEADER_BYTES = 24;
/** Node header: low and high half of a size or page number 2 + 2, flags 2, key size 2. */
const NODE_HEADER_BYTES = 8;
const NODE_ON_OVERFLOW_PAGES = 0x01;
const NODE_IS_TABLE = 0x02;
/** Record of a tree: padding 4, flags 2, depth 2, three counts and the entries 32, root 8. */
const TREE_RECORD_BYTES = 48;
/** Where a value is that does not fit into a leaf: first page 8, transaction 8, pages 8. */
const OVERFLOW_RECORD_BYTES = 24;
/** Deeper trees do not fit into the address space. */
const MAX_TREE_DEPTH = 32;

interface Tree {
  readonly depth: number;
  /** Undefined: the tree is empty. */
  readonly root: number | undefined;
}

interface Meta {
  readonly transaction: number;
  readonly lastPage: number;
  readonly freePages: Tree;
  readonly tables: Tree;
}

/**
 * Checks an LMDB file without LMDB: both meta pages, all branch pages, and that every page in use
 * lies within the file. Costs one read of 4 KiB for about 140 pages of data.
 * Returns false if there is no file, or an empty one, yet.
 *
 * With `leaves` the structure of all leaf pages is checked too, at one read each. Damage within
 * keys and values is never seen, as LMDB keeps no checksums.
 *
 * Throws {@link BackendOpenError}.
 */
export async function checkLmdbFile(
  fs: Fs,
  path: string,
  options: { readonly leaves?: boolean } = {},
): Promise<boolean> {
  try {
    const stat = await fs.stat(path);
    if (stat === undefined || (stat.size === 0 && !stat.isDirectory)) {
      return false;
    }
    if (stat.isDirectory) {
      throw new BackendOpenError(path, 'it is a directory');
    }
    const file = await fs.open(path, { read: true, write: true });
    try {
      await new LmdbFileChecker(path, file, stat.size).check(options.leaves ?? false);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (error instanceof BackendOpenError) {
      throw error;
    }
    throw new BackendOpenError(path, error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}

class LmdbFileChecker {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #fileBytes: number;
  readonly #visited = new Set<number>();
  #lastPage = 0;
  #readsLeaves = false;

  constructor(path: string, file: FileHandle, fileBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#fileBytes = fileBytes;
  }

  async check(leaves: boolean): Promise<void> {
    const first = await this.#readMeta(0);
    const second = await this.#readMeta(1);
    const newest = second.transaction > first.transaction ? second : first;
    this.#lastPage = newest.lastPage;
    // A sound file may end before its last page, if only free pages are missing. Whether it is
    // sound then depends on the overflow pages, which leaves name.
    this.#readsLeaves = leaves || (newest.lastPage + 1) * PAGE_BYTES > this.#fileBytes;
    await this.#checkTree(newest.freePages, false);
    await this.#checkTree(newest.tables, true);
  }

  async #readMeta(number: number): Promise<Meta> {
    if (this.#fileBytes < META_PAGES * PAGE_BYTES) {
      throw this.#damaged('the file is shorter than its two meta pages');
    }
    const page = await this.#file.read(number * PAGE_BYTES, PAGE_BYTES);
    const magic = page.readUInt32LE(24);
    if (magic === SWAPPED_MAGIC) {
      throw this.#damaged('it was written by a machine of another byte order');
    }
    if (magic !== MAGIC || (page.readUInt16LE(18) & PAGE_META) === 0) {
      throw this.#damaged(`meta page ${number} has not the mark of an LMDB file`);
    }
    const format = page.readUInt16LE(28);
    if (format !== DATA_FORMAT) {
      throw this.#damaged(`LMDB data format ${format}, expected ${DATA_FORMAT}`);
    }
    const pageBytes = page.readUInt32LE(48);
    if (pageBytes !== PAGE_BYTES) {
      throw this.#damaged(`pages of ${pageBytes} bytes, expected ${PAGE_BYTES}`);
    }
    return {
      freePages: this.#readTree(page, 48),
      tables: this.#readTree(page, 48 + TREE_RECORD_BYTES),
      lastPage: Number(page.readBigUInt64LE(144)),
      transaction: Number(page.readBigUInt64LE(152)),
    };
  }

  #readTree(page: Buffer, offset: number): Tree {
    const depth = page.readUInt16LE(offset + 6);
    const root = page.readBigUInt64LE(offset + 40);
    if (depth > MAX_TREE_DEPTH) {
      throw this.#damaged(`a tree of ${depth} levels`);
    }
    return { depth, root: root === 0xffff_ffff_ffff_ffffn ? undefined : Number(root) };
  }

  async #checkTree(tree: Tree, holdsTables: boolean): Promise<void> {
    if (tree.root !== undefined) {
      await this.#checkPage(tree.root, tree.depth, holdsTables);
    }
  }

  /** `level` is 1 for a leaf page. */
  async #checkPage(number: number, level: number, holdsTables: boolean): Promise<void> {
    this.#requireInFile(number, 1);
    if (level <= 1 && !holdsTables && !this.#readsLeaves) {
      return;
    }
    if (this.#visited.has(number)) {
      throw this.#damaged(`page ${number} is used twice`);
    }
    this.#visited.add(number);
    const page = await this.#file.read(number * PAGE_BYTES, PAGE_BYTES);
    const kind = level > 1 ? PAGE_BRANCH : PAGE_LEAF;
    const flags = page.readUInt16LE(18);
    if (
      page.readBigUInt64LE(0) !== BigInt(number) ||
      (flags & (PAGE_BRANCH | PAGE_LEAF)) !== kind
    ) {
      throw this.#damaged(
        `page ${number} is not the ${level > 1 ? 'branch' : 'leaf'} it should be`,
      );
    }
    for (const node of this.#nodesOf(page, number)) {
      if (level > 1) {
        await this.#checkPage(childOf(page, node), level - 1, holdsTables);
      } else {
        await this.#checkLeafNode(page, node, holdsTables);
      }
    }
  }

  /** Offsets of the nodes of a page. */
  #nodesOf(page: Buffer, number: number): number[] {
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const space = PAGE_BYTES - PAGE_HEADER_BYTES;
    if (lower > upper || upper > space || lower % 2 !== 0) {
      throw this.#damaged(`page ${number} has impossible bounds ${lower} and ${upper}`);
    }
    const nodes: number[] = [];
    for (let pointer = 0; pointer < lower; pointer += 2) {
      const node = page.readUInt16LE(PAGE_HEADER_BYTES + pointer);
      if (node < upper || node + NODE_HEADER_BYTES > space) {
        throw this.#damaged(`page ${number} has a row outside of itself`);
      }
      nodes.push(PAGE_HEADER_BYTES + node);
    }
    return nodes;
  }

  async #checkLeafNode(page: Buffer, node: number, holdsTables: boolean): Promise<void> {
    const flags = page.readUInt16LE(node + 4);
    const data = node + NODE_HEADER_BYTES + page.readUInt16LE(node + 6);
    const isOnOverflowPages = (flags & NODE_ON_OVERFLOW_PAGES) !== 0;
    const dataBytes = isOnOverflowPages ? OVERFLOW_RECORD_BYTES : page.readUInt32LE(node);
    if (data + dataBytes > PAGE_BYTES) {
      throw this.#damaged('a row reaches beyond its page');
    }
    if (isOnOverflowPages) {
      const first = Number(page.readBigUInt64LE(data));
      this.#requireInFile(first, Number(page.readBigUInt64LE(data + 16)));
    }
    if (holdsTables && (flags & NODE_IS_TABLE) !== 0) {
      if (dataBytes !== TREE_RECORD_BYTES) {
        throw this.#damaged('the record of a table has a wrong size');
      }
      await this.#checkTree(this.#readTree(page, data), false);
    }
  }

  #requireInFile(first: number, count: number): void {
    const last = first + count - 1;
    if (first < META_PAGES || last > this.#lastPage) {
      throw this.#damaged(`it refers to page ${first}, which cannot be`);
    }
    if ((last + 1) * PAGE_BYTES > this.#fileBytes) {
      throw this.#damaged(
        `it is truncated: page ${last} is missing from its ${this.#fileBytes} bytes`,
      );
    }
  }

  #damaged(reason: string): BackendOpenError {
    return new BackendOpenError(this.#path, reason);
  }
}

/** The page that a node of a branch page points to: 48 bits. */
function childOf(page: Buffer, node: number): number {
  return page.readUInt32LE(node) + page.readUInt16LE(node + 4) * 2 ** 32;
}
