import type { FileHandle, Fs } from '../../platform/fs.js';
import { BackendOpenError } from './backend.js';
import {
  checkLmdbLeaf,
  decodeLmdbBranch,
  decodeLmdbLeaf,
  decodeLmdbMeta,
  flagsOf,
  LMDB_PAGE_BYTES,
  LmdbFileError,
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

/*
 * LMDB maps its file and trusts what it finds: a page that lies behind the end of the file, or a
 * branch page of garbage, ends the process with a signal. So the file is looked over before it is
 * mapped.
 */

/** Leaves are read in pieces of so many pages, 1 MiB, in the order of the file. */
const WINDOW_PAGES = 256;

export interface LmdbCheckOptions {
  readonly leaves?: boolean;
  /** Told now and then how many bytes of how many were looked at. */
  readonly onProgress?: ((read: number, total: number) => void) | undefined;
}

/**
 * Checks an LMDB file without LMDB: both meta pages, all branch pages, and that every page in use
 * lies within the file. Costs one read of 4 KiB for about 140 pages of data.
 * Returns false if there is no file, or an empty one, yet.
 *
 * With `leaves` all leaf pages are checked too, and where the values begin that have pages of their
 * own: about the time it takes to read the file once. Damage within keys and values is seen only
 * where it changes the order of the keys, as LMDB keeps no checksums.
 *
 * Throws {@link BackendOpenError}.
 */
export async function checkLmdbFile(
  fs: Fs,
  path: string,
  options: LmdbCheckOptions = {},
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
      await new LmdbFileChecker(path, file, stat.size).check(options);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (error instanceof BackendOpenError) {
      throw error;
    }
    if (error instanceof LmdbFileError) {
      throw new BackendOpenError(path, `${error.reason} (offset ${error.offset})`, {
        cause: error,
      });
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
  #used = new PageSet(0);
  /** Leaves that are yet to be checked. */
  #leaves = new PageSet(0);
  /** Those of them that list free pages. */
  #freeLeaves = new PageSet(0);
  /** First pages of values that are yet to be checked, with how many pages they take. */
  readonly #values = new Map<number, number>();
  /** What the records of the trees say. */
  #expectedRows = 0;
  #lastPage = 0;
  #transaction = 0;
  #readsLeaves = false;

  constructor(path: string, file: FileHandle, fileBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#fileBytes = fileBytes;
  }

  async check({ leaves = false, onProgress }: LmdbCheckOptions): Promise<void> {
    const first = await this.#readMeta(0);
    const second = await this.#readMeta(1);
    const newest = second.transaction > first.transaction ? second : first;
    this.#lastPage = newest.lastPage;
    this.#transaction = newest.transaction;
    // No page that is met may lie behind the end of the file.
    const pages = Math.min(newest.lastPage + 1, Math.floor(this.#fileBytes / LMDB_PAGE_BYTES));
    this.#used = new PageSet(pages);
    this.#leaves = new PageSet(pages);
    this.#freeLeaves = new PageSet(pages);
    // A sound file may end before its last page, if only free pages are missing. Whether it is
    // sound then depends on the overflow pages, which leaves name.
    this.#readsLeaves = leaves || (newest.lastPage + 1) * LMDB_PAGE_BYTES > this.#fileBytes;
    await this.#checkTree(newest.freePages, 'free pages');
    await this.#checkTree(newest.tables, 'tables');
    await this.#checkLeaves(onProgress);
    await this.#checkValues();
  }

  async #readMeta(number: number): Promise<LmdbMeta> {
    if (this.#fileBytes < META_PAGES * LMDB_PAGE_BYTES) {
      throw this.#damaged(0, 'the file is shorter than its two meta pages');
    }
    return decodeLmdbMeta(await this.#read(number));
  }

  async #checkTree(tree: LmdbTree, kind: TreeKind): Promise<void> {
    if (kind !== 'tables') this.#expectedRows += tree.entries;
    if (tree.root !== undefined) {
      await this.#checkPage(tree.root, tree.depth, kind);
    }
  }

  /** `level` is 1 for a leaf page. */
  async #checkPage(number: number, level: number, kind: TreeKind): Promise<void> {
    this.#use(number, 1);
    if (level <= 1 && kind !== 'tables') {
      if (this.#readsLeaves) this.#leaves.add(number);
      if (this.#readsLeaves && kind === 'free pages') this.#freeLeaves.add(number);
      return;
    }
    const page = await this.#read(number);
    this.#requireTreePage(page, level > 1 ? 'branch' : 'leaf');
    if (level > 1) {
      for (const { child } of decodeLmdbBranch(page)) {
        await this.#checkPage(child, level - 1, kind);
      }
      return;
    }
    for (const { kind: nodeKind, value, offset } of decodeLmdbLeaf(page)) {
      if (nodeKind === 'overflow') this.#noteValue(value as OverflowValue);
      else if (nodeKind === 'table') {
        const tree = value as LmdbTree;
        if (tree.flags !== 0) throw lmdbError(page, offset, `a table with flags ${tree.flags}`);
        await this.#checkTree(tree, 'rows');
      }
    }
  }

  async #checkLeaves(onProgress: LmdbCheckOptions['onProgress']): Promise<void> {
    let reported = 0;
    let rows = 0;
    for await (const page of this.#pagesOf(this.#leaves)) {
      this.#requireTreePage(page, 'leaf');
      const isFree = this.#freeLeaves.has(page.number);
      rows += checkLmdbLeaf(page, !isFree, (value) => this.#noteValue(value));
      if (isFree) await this.#checkFreePages(page);
      if (page.number < reported + WINDOW_PAGES) continue;
      reported = page.number;
      onProgress?.(reported * LMDB_PAGE_BYTES, this.#fileBytes);
    }
    if (this.#readsLeaves && rows !== this.#expectedRows) {
      throw this.#damaged(0, `it has ${rows} rows, expected ${this.#expectedRows}`);
    }
  }

  /** Trap: LMDB writes to what it finds there, wherever that is. */
  async #checkFreePages(page: LmdbPage): Promise<void> {
    for (const { kind, value, offset } of decodeLmdbLeaf(page)) {
      let list = value as Buffer;
      if (kind === 'overflow') {
        const { first, bytes } = value as OverflowValue;
        const start = first * LMDB_PAGE_BYTES + PAGE_HEADER_BYTES;
        list = await this.#file.read(start, Math.min(bytes, this.#fileBytes));
      }
      if (!isFreePageList(list, this.#lastPage)) {
        throw lmdbError(page, offset, 'a list of free pages has what cannot be');
      }
    }
  }

  /** Their heads only: what follows is the value. */
  async #checkValues(): Promise<void> {
    const heads = new PageSet(this.#used.pages);
    for (const first of this.#values.keys()) heads.add(first);
    for await (const page of this.#pagesOf(heads)) {
      const { bytes, number } = page;
      const isRight =
        pageNumberOf(bytes) === number &&
        (flagsOf(bytes) & LmdbPageKind.overflow) !== 0 &&
        overflowPagesOf(bytes) === this.#values.get(number);
      if (!isRight) throw lmdbError(page, 0, `page ${number} is not the value it should be`);
      this.#requireNotNewer(page);
    }
  }

  #noteValue({ first, pages }: OverflowValue): void {
    this.#use(first, pages);
    if (this.#readsLeaves) this.#values.set(first, pages);
  }

  #requireTreePage(page: LmdbPage, name: 'branch' | 'leaf'): void {
    const kinds = LmdbPageKind.branch | LmdbPageKind.leaf;
    if (
      pageNumberOf(page.bytes) !== page.number ||
      (flagsOf(page.bytes) & kinds) !== LmdbPageKind[name]
    ) {
      throw lmdbError(page, 0, `page ${page.number} is not the ${name} it should be`);
    }
    this.#requireNotNewer(page);
  }

  /** Trap: LMDB takes a page of a later transaction for a copy of its own, and writes to it. */
  #requireNotNewer(page: LmdbPage): void {
    const transaction = transactionOf(page.bytes);
    if (transaction <= this.#transaction) return;
    const last = `the last one, ${this.#transaction}`;
    throw lmdbError(page, 8, `page ${page.number} is of transaction ${transaction}, after ${last}`);
  }

  /** In the order of the file, at least a window at a time. */
  async *#pagesOf(set: PageSet): AsyncGenerator<LmdbPage, void> {
    for (let window = 0; window < set.pages; window += WINDOW_PAGES) {
      const numbers = set.within(window, window + WINDOW_PAGES);
      const first = numbers[0];
      const last = numbers.at(-1);
      if (first === undefined || last === undefined) continue;
      const length = (last + 1 - first) * LMDB_PAGE_BYTES;
      const bytes = await this.#file.read(first * LMDB_PAGE_BYTES, length);
      if (bytes.length < length) throw this.#damaged(last, 'it was cut off meanwhile');
      for (const number of numbers) {
        const start = (number - first) * LMDB_PAGE_BYTES;
        const page = bytes.subarray(start, start + LMDB_PAGE_BYTES);
        yield { file: this.#path, number, bytes: page };
      }
    }
  }

  async #read(number: number): Promise<LmdbPage> {
    const bytes = await this.#file.read(number * LMDB_PAGE_BYTES, LMDB_PAGE_BYTES);
    return { file: this.#path, number, bytes };
  }

  /** Notes that pages are in use. */
  #use(first: number, count: number): void {
    const last = first + count - 1;
    if (first < META_PAGES || last > this.#lastPage || last < first) {
      throw this.#damaged(0, `it refers to page ${first}, which cannot be`);
    }
    if ((last + 1) * LMDB_PAGE_BYTES > this.#fileBytes) {
      throw this.#damaged(
        last,
        `it is truncated: page ${last} is missing from its ${this.#fileBytes} bytes`,
      );
    }
    for (let number = first; number <= last; number++) {
      if (this.#used.has(number)) throw this.#damaged(number, `page ${number} is used twice`);
      this.#used.add(number);
    }
  }

  #damaged(number: number, reason: string): LmdbFileError {
    return lmdbError({ file: this.#path, number }, 0, reason);
  }
}

/**
 * Whether a list of free pages, 8 bytes each behind their number, is one: a page, zero, or a negative
 * number of pages with the first of them behind it.
 */
function isFreePageList(list: Buffer, lastPage: number): boolean {
  if (list.length < 8) return false;
  const count = Number(list.readBigInt64LE(0));
  if (count < 0 || (count + 1) * 8 > list.length) return false;
  for (let entry = 1; entry <= count; entry++) {
    let first = Number(list.readBigInt64LE(entry * 8));
    if (first === 0) continue;
    let pages = 1;
    if (first < 0) {
      pages = -first;
      if (++entry > count) return false;
      first = Number(list.readBigInt64LE(entry * 8));
    }
    if (first < META_PAGES || first + pages - 1 > lastPage) return false;
  }
  return true;
}

type TreeKind = 'free pages' | 'tables' | 'rows';

/** Numbers below `pages`: one bit each. */
class PageSet {
  readonly pages: number;
  readonly #bits: Uint8Array;

  constructor(pages: number) {
    this.pages = pages;
    this.#bits = new Uint8Array(Math.ceil(pages / 8));
  }

  has(number: number): boolean {
    return ((this.#bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }

  add(number: number): void {
    this.#bits[number >> 3] = (this.#bits[number >> 3] ?? 0) | (1 << (number & 7));
  }

  /** Ascending, from `start` to before `end`. */
  within(start: number, end: number): number[] {
    const found: number[] = [];
    for (let number = start; number < end; number++) if (this.has(number)) found.push(number);
    return found;
  }
}
