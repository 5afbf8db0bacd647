import type { FileHandle, Fs } from '../../platform/fs.js';
import { FileWindows } from '../file-windows.js';
import type { Row } from './backend.js';
import {
  decodeLmdbBranch,
  decodeLmdbLeaf,
  decodeLmdbMeta,
  flagsOf,
  LMDB_PAGE_BYTES,
  type LmdbLeafNode,
  type LmdbMeta,
  type LmdbPage,
  LmdbPageKind,
  type LmdbTree,
  lmdbError,
  META_PAGES,
  type OverflowValue,
  overflowPagesOf,
  PAGE_HEADER_BYTES,
  pageNumberOf,
  transactionOf,
} from './lmdb-page.js';

const WINDOW_BYTES = 256 * 1024;
/** Longest value that is read, bytes: what etcd can store is far below. */
const MAX_VALUE_BYTES = 1024 * 1024 * 1024;
/** Readings of the meta pages until two agree: a commit may come in between. */
const META_READS = 16;

/** A named table of the file. */
export interface LmdbFileTable {
  readonly name: Buffer;
  readonly tree: LmdbTree;
}

/** Pages `first` to `first + count - 1`, which belong to one page of a tree or to one value. */
export type LmdbPageVisitor = (first: number, count: number, kind: 'page' | 'value') => void;

export interface LmdbWalkOptions {
  /** Called with each page before what is in it is looked at. */
  readonly visit?: LmdbPageVisitor | undefined;
  /** From the highest key to the lowest. Default false. */
  readonly reverse?: boolean | undefined;
}

interface NewestMeta extends LmdbMeta {
  /** Nothing was committed before: then the pages may be those of another file, copied. */
  readonly isFirst: boolean;
}

interface Leaf {
  readonly page: LmdbPage;
  readonly nodes: LmdbLeafNode[];
}

/** The keys that a subtree may have: from `from` on, and below `below`. */
interface KeyBounds {
  readonly from: Buffer | undefined;
  readonly below: Buffer | undefined;
}

/**
 * Reads an LMDB file without LMDB, which maps its file and trusts what it finds: without a lock,
 * without ever writing, in memory that doesn't grow with the file. All that is read is checked. A
 * file that a server writes to meanwhile stays readable as long as somebody holds a read
 * transaction of LMDB; without one, pages that were written again are told as an error.
 */
export class LmdbFile {
  readonly path: string;
  readonly meta: NewestMeta;
  readonly #file: FileHandle;
  readonly #windows: FileWindows;

  private constructor(file: FileHandle, meta: NewestMeta) {
    this.path = file.path;
    this.meta = meta;
    this.#file = file;
    this.#windows = new FileWindows(file, WINDOW_BYTES);
  }

  /**
   * @throws LmdbFileError if it is no LMDB file, or ends before its last page in use
   * @throws ErrnoException if it can't be read
   */
  static async open(fs: Fs, path: string): Promise<LmdbFile> {
    const file = await fs.open(path, { read: true });
    try {
      const opened = new LmdbFile(file, await readNewestMeta(file));
      await opened.#requireNewestRoots();
      return opened;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Pages up to the last one in use. */
  get pageCount(): number {
    return this.meta.lastPage + 1;
  }

  get bytes(): number {
    return this.pageCount * LMDB_PAGE_BYTES;
  }

  /** Whether the file was committed to since it was opened. */
  async isChanged(): Promise<boolean> {
    return (await readNewestMeta(this.#file)).transaction !== this.meta.transaction;
  }

  /** The tables in the order of their names. */
  async *tables(options: LmdbWalkOptions = {}): AsyncGenerator<LmdbFileTable> {
    for await (const { page, nodes } of this.#leaves(this.meta.tables, options)) {
      for (const { key, value, kind, offset } of nodes) {
        if (kind !== 'table') {
          throw lmdbError(page, offset, `"${key.toString('latin1')}" is not a table`);
        }
        // lmdb-js counts the zero byte that ends a name in C as part of it.
        const name = key.at(-1) === 0 ? key.subarray(0, -1) : key;
        yield { name, tree: value as LmdbTree };
      }
    }
  }

  /** The pairs of a tree in the order of their keys, a leaf at a time. */
  async *rows(tree: LmdbTree, options: LmdbWalkOptions = {}): AsyncGenerator<Row[]> {
    for await (const { page, nodes } of this.#leaves(tree, options)) {
      const rows: Row[] = [];
      for (const node of nodes) rows.push([node.key, await this.#valueOf(node, page, options)]);
      yield rows;
    }
  }

  /** The value of a key, undefined if it has none. */
  async get(tree: LmdbTree, key: Uint8Array): Promise<Buffer | undefined> {
    if (tree.root === undefined) return undefined;
    let page = await this.#page(tree.root, tree.depth);
    for (let level = tree.depth; level > 1; level--) {
      const nodes = decodeLmdbBranch(page);
      const node = nodes.findLast((each, index) => index === 0 || each.key.compare(key) <= 0);
      if (node === undefined) return undefined;
      page = await this.#page(node.child, level - 1);
    }
    const found = decodeLmdbLeaf(page).find((node) => node.key.equals(key));
    return found === undefined ? undefined : this.#valueOf(found, page, {});
  }

  /** The bytes of a page, whatever it is. @throws LmdbFileError if the file ends before its end */
  async rawPage(number: number): Promise<LmdbPage> {
    const bytes = await this.#windows.read(number * LMDB_PAGE_BYTES, LMDB_PAGE_BYTES);
    const page = { file: this.path, number, bytes };
    if (bytes.length === LMDB_PAGE_BYTES) return page;
    throw lmdbError(page, bytes.length, `it is truncated: page ${number} is missing`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async *#leaves(tree: LmdbTree, options: LmdbWalkOptions): AsyncGenerator<Leaf> {
    if (tree.root === undefined) return;
    const bounds = { from: undefined, below: undefined };
    let entries = 0;
    for await (const leaf of this.#subtree(tree.root, tree.depth, options, bounds)) {
      entries += leaf.nodes.length;
      yield leaf;
    }
    if (entries === tree.entries) return;
    const root = { file: this.path, number: tree.root };
    throw lmdbError(root, 0, `the tree has ${entries} rows instead of ${tree.entries}`);
  }

  async *#subtree(
    number: number,
    level: number,
    options: LmdbWalkOptions,
    bounds: KeyBounds,
  ): AsyncGenerator<Leaf> {
    const page = await this.#page(number, level);
    options.visit?.(number, 1, 'page');
    if (level <= 1) {
      const nodes = decodeLmdbLeaf(page);
      requireOrder(page, nodes, bounds);
      if (nodes.length === 0) throw lmdbError(page, 0, `leaf ${number} is empty`);
      yield { page, nodes: options.reverse === true ? nodes.reverse() : nodes };
      return;
    }
    const children = decodeLmdbBranch(page);
    if (children.length === 0) throw lmdbError(page, 0, `branch ${number} has no children`);
    // Trap: the first key of a branch is empty and stands for all that is lower than the second.
    requireOrder(page, children.slice(1), bounds);
    const order = children.map((child, index) => ({
      child: child.child,
      from: index === 0 ? bounds.from : child.key,
      below: children[index + 1]?.key ?? bounds.below,
    }));
    if (options.reverse === true) order.reverse();
    for (const { child, from, below } of order) {
      yield* this.#subtree(child, level - 1, options, { from, below });
    }
  }

  /** A page of a tree, whose header was checked. */
  async #page(number: number, level: number): Promise<LmdbPage> {
    this.#requireInFile(number, 1);
    const page = await this.rawPage(number);
    const kind = level > 1 ? LmdbPageKind.branch : LmdbPageKind.leaf;
    const tree = LmdbPageKind.branch | LmdbPageKind.leaf;
    if (pageNumberOf(page.bytes) !== number || (flagsOf(page.bytes) & tree) !== kind) {
      const name = level > 1 ? 'branch' : 'leaf';
      throw lmdbError(page, 0, `page ${number} is not the ${name} it should be`);
    }
    this.#requireNotNewer(page);
    return page;
  }

  async #valueOf(node: LmdbLeafNode, page: LmdbPage, options: LmdbWalkOptions): Promise<Buffer> {
    if (node.kind === 'value') return node.value as Buffer;
    if (node.kind === 'table') {
      throw lmdbError(page, node.offset, 'a table within a table is not supported');
    }
    const { first, pages, bytes } = node.value as OverflowValue;
    this.#requireInFile(first, pages);
    options.visit?.(first, pages, 'value');
    const head = await this.rawPage(first);
    const isRight =
      pageNumberOf(head.bytes) === first &&
      (flagsOf(head.bytes) & LmdbPageKind.overflow) !== 0 &&
      overflowPagesOf(head.bytes) === pages;
    if (!isRight) throw lmdbError(head, 0, `page ${first} is not the value it should be`);
    this.#requireNotNewer(head);
    if (bytes > MAX_VALUE_BYTES) throw lmdbError(head, 0, `a value of ${bytes} bytes`);
    if (pages === 1) return head.bytes.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + bytes);
    const value = await this.#file.read(first * LMDB_PAGE_BYTES + PAGE_HEADER_BYTES, bytes);
    if (value.length === bytes) return value;
    throw lmdbError(head, value.length, `it is truncated: page ${first} is cut off`);
  }

  /**
   * A commit writes the root of a tree at least, so that a meta page with a wrong transaction, which
   * would bring an old state back, is told by its roots.
   */
  async #requireNewestRoots(): Promise<void> {
    const { transaction, isFirst, tables, freePages } = this.meta;
    if (isFirst) return;
    let newest = 0;
    for (const { root, depth } of [tables, freePages]) {
      if (root !== undefined) {
        newest = Math.max(newest, transactionOf((await this.#page(root, depth)).bytes));
      }
    }
    if (newest === transaction) return;
    const meta = { file: this.path, number: transaction % META_PAGES };
    throw lmdbError(meta, 152, `its last transaction is ${newest}, not ${transaction}`);
  }

  #requireNotNewer(page: LmdbPage): void {
    const transaction = transactionOf(page.bytes);
    if (transaction <= this.meta.transaction) return;
    throw lmdbError(
      page,
      8,
      `page ${page.number} is of transaction ${transaction}, after the last one, ${this.meta.transaction}`,
    );
  }

  #requireInFile(first: number, count: number): void {
    if (first >= META_PAGES && first + count - 1 <= this.meta.lastPage) return;
    const site = { file: this.path, number: 0 };
    throw lmdbError(site, 0, `it refers to page ${first}, which cannot be`);
  }
}

/** Ascending keys within their bounds: the first and the last tell of all. */
function requireOrder(
  page: LmdbPage,
  nodes: readonly { readonly offset: number; readonly key: Buffer }[],
  { from, below }: KeyBounds,
): void {
  let before: Buffer | undefined;
  for (const { key, offset } of nodes) {
    if (before !== undefined && before.compare(key) >= 0) {
      throw lmdbError(page, offset, `page ${page.number} has rows out of order`);
    }
    before = key;
  }
  const first = nodes[0];
  const last = nodes.at(-1);
  const isLow = from !== undefined && first !== undefined && first.key.compare(from) < 0;
  const isHigh = below !== undefined && last !== undefined && last.key.compare(below) >= 0;
  if (isLow || isHigh) {
    throw lmdbError(page, 0, `page ${page.number} has keys of another subtree`);
  }
}

/** The meta of the last commit; read until it stands still, as a server may be writing it. */
async function readNewestMeta(file: FileHandle): Promise<NewestMeta> {
  let before = await file.read(0, META_PAGES * LMDB_PAGE_BYTES);
  for (let reading = 0; reading < META_READS; reading++) {
    const again = await file.read(0, META_PAGES * LMDB_PAGE_BYTES);
    if (before.equals(again)) break;
    before = again;
  }
  const metaOf = (number: number) =>
    decodeLmdbMeta({
      file: file.path,
      number,
      bytes: before.subarray(number * LMDB_PAGE_BYTES, (number + 1) * LMDB_PAGE_BYTES),
    });
  const [first, second] = [metaOf(0), metaOf(1)];
  const [newer, older] = second.transaction > first.transaction ? [second, first] : [first, second];
  if (newer.tables.root === undefined && older.tables.root !== undefined) {
    const page = { file: file.path, number: newer === first ? 0 : 1 };
    throw lmdbError(page, 0, 'its last transaction has nothing of the one before');
  }
  return { ...newer, isFirst: older.transaction === 0 };
}
