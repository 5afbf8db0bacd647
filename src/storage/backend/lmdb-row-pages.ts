import type { SyncFile } from '../../platform/sync-file.js';
import type { Row, RowVisitor } from './backend.js';
import {
  decodeLmdbLeaf,
  decodeLmdbMeta,
  LMDB_PAGE_BYTES,
  type LmdbMeta,
  type LmdbPage,
  type LmdbTree,
  lmdbChildren,
  lmdbError,
  META_PAGES,
  type OverflowValue,
  PAGE_HEADER_BYTES,
  visitLmdbRows,
} from './lmdb-page.js';

/** The file is read in pieces of so many bytes, because neighbours are mostly read together. */
const WINDOW_BYTES = 256 * 1024;
/** Pieces that are kept. */
const MAX_WINDOWS = 32;

/**
 * Reads whole tables of an open LMDB file from its pages: several times as fast as by cursor, which
 * costs calls of native functions for each row. It is for a state that a read transaction holds,
 * whose pages LMDB does not write to; like LMDB's own reads it waits for the disk where it must.
 */
export class LmdbRowPages {
  readonly #file: SyncFile;
  readonly #meta: LmdbMeta;
  /** By number, the oldest first. */
  readonly #windows = new Map<number, Buffer>();

  private constructor(file: SyncFile, meta: LmdbMeta) {
    this.#file = file;
    this.#meta = meta;
  }

  /** Undefined if neither meta page tells of the transaction (any more). */
  static open(file: SyncFile, transaction: number): LmdbRowPages | undefined {
    const bytes = file.read(0, META_PAGES * LMDB_PAGE_BYTES);
    for (let number = 0; number < META_PAGES; number++) {
      const page = bytes.subarray(number * LMDB_PAGE_BYTES, (number + 1) * LMDB_PAGE_BYTES);
      const meta = decodeLmdbMeta({ file: file.path, number, bytes: page });
      if (meta.transaction === transaction) return new LmdbRowPages(file, meta);
    }
    return undefined;
  }

  /**
   * The rows of a table in the order of their keys: views of copies of their pages.
   * @throws LmdbFileError
   */
  *rows(table: string): Generator<Row, void> {
    for (const leaf of this.#leavesOf(table)) {
      const rows: Row[] = [];
      // Trap: memory of pages is used again, also by others who read the same state meanwhile.
      const page = { ...leaf, bytes: Buffer.from(leaf.bytes) };
      this.#show(page, false, (source, keyAt, valueAt, end) => {
        rows.push([source.subarray(keyAt, valueAt), source.subarray(valueAt, end)]);
      });
      yield* rows;
    }
  }

  /**
   * Shows the rows of a table in the order of their keys, those of one page at each step.
   * @param lengthsOnly a value may be missing behind its key: only where it would end counts
   * @throws LmdbFileError
   */
  *visit(table: string, visit: RowVisitor, lengthsOnly: boolean): Generator<void, void> {
    for (const leaf of this.#leavesOf(table)) {
      this.#show(leaf, lengthsOnly, visit);
      yield;
    }
  }

  #show(leaf: LmdbPage, lengthsOnly: boolean, visit: RowVisitor): void {
    visitLmdbRows(leaf, visit, (keyAt, keyEnd, value) => {
      if (lengthsOnly) visit(leaf.bytes, keyAt, keyEnd, keyEnd + value.bytes);
      else this.#visitLarge(leaf.bytes.subarray(keyAt, keyEnd), value, visit);
    });
  }

  *#leavesOf(table: string): Generator<LmdbPage, void> {
    const tree = this.#table(table);
    if (tree !== undefined) yield* this.#leaves(tree);
  }

  #table(wanted: string): LmdbTree | undefined {
    for (const leaf of this.#leaves(this.#meta.tables)) {
      for (const { key, kind, value } of decodeLmdbLeaf(leaf)) {
        // lmdb-js counts the zero byte that ends a name in C as part of it.
        const name = key.toString('latin1').replace(/\0$/, '');
        if (kind === 'table' && name === wanted) return value as LmdbTree;
      }
    }
    return undefined;
  }

  *#leaves({ root, depth }: LmdbTree): Generator<LmdbPage> {
    if (root !== undefined) yield* this.#subtree(root, depth);
  }

  *#subtree(number: number, level: number): Generator<LmdbPage> {
    const page = this.#page(number);
    if (level <= 1) {
      yield page;
      return;
    }
    for (const child of lmdbChildren(page)) yield* this.#subtree(child, level - 1);
  }

  #visitLarge(key: Buffer, { first, bytes }: OverflowValue, visit: RowVisitor): void {
    const row = Buffer.allocUnsafeSlow(key.length + bytes);
    row.set(key);
    const position = first * LMDB_PAGE_BYTES + PAGE_HEADER_BYTES;
    const value = this.#file.readInto(row.subarray(key.length), position);
    if (value.length < bytes) {
      const page = { file: this.#file.path, number: first };
      throw lmdbError(page, 0, `a value of ${bytes} bytes is cut off`);
    }
    visit(row, 0, key.length, row.length);
  }

  #page(number: number): LmdbPage {
    const offset = number * LMDB_PAGE_BYTES;
    const at = offset % WINDOW_BYTES;
    const bytes = this.#window((offset - at) / WINDOW_BYTES).subarray(at, at + LMDB_PAGE_BYTES);
    const page = { file: this.#file.path, number, bytes };
    if (bytes.length < LMDB_PAGE_BYTES) throw lmdbError(page, 0, `page ${number} is missing`);
    return page;
  }

  #window(number: number): Buffer {
    const known = this.#windows.get(number);
    if (known !== undefined) return known;
    const window = this.#file.readInto(this.#freeBuffer(), number * WINDOW_BYTES);
    this.#windows.set(number, window);
    return window;
  }

  /** Trap: new memory for each window would keep the garbage collector busier than all else. */
  #freeBuffer(): Buffer {
    const [oldest] = this.#windows;
    if (oldest === undefined || this.#windows.size < MAX_WINDOWS) {
      return Buffer.allocUnsafeSlow(WINDOW_BYTES);
    }
    this.#windows.delete(oldest[0]);
    // The last window of the file is shorter than its memory.
    return Buffer.from(oldest[1].buffer);
  }
}
