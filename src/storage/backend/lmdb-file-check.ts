import type { FileHandle, Fs } from '../../platform/fs.js';
import { BackendOpenError } from './backend.js';
import {
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
  META_PAGES,
  type OverflowValue,
  pageNumberOf,
} from './lmdb-page.js';

/*
 * LMDB maps its file and trusts what it finds: a page that lies behind the end of the file, or a
 * branch page of garbage, ends the process with a signal. So the file is looked over before it is
 * mapped.
 */

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
    if (error instanceof LmdbFileError) {
      throw new BackendOpenError(path, error.reason, { cause: error });
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
    this.#readsLeaves = leaves || (newest.lastPage + 1) * LMDB_PAGE_BYTES > this.#fileBytes;
    await this.#checkTree(newest.freePages, false);
    await this.#checkTree(newest.tables, true);
  }

  async #readMeta(number: number): Promise<LmdbMeta> {
    if (this.#fileBytes < META_PAGES * LMDB_PAGE_BYTES) {
      throw this.#damaged('the file is shorter than its two meta pages');
    }
    return decodeLmdbMeta(await this.#read(number));
  }

  async #checkTree(tree: LmdbTree, holdsTables: boolean): Promise<void> {
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
    const page = await this.#read(number);
    const kind = level > 1 ? LmdbPageKind.branch : LmdbPageKind.leaf;
    const kinds = LmdbPageKind.branch | LmdbPageKind.leaf;
    if (pageNumberOf(page.bytes) !== number || (flagsOf(page.bytes) & kinds) !== kind) {
      throw this.#damaged(
        `page ${number} is not the ${level > 1 ? 'branch' : 'leaf'} it should be`,
      );
    }
    if (level > 1) {
      for (const { child } of decodeLmdbBranch(page)) {
        await this.#checkPage(child, level - 1, holdsTables);
      }
    } else {
      await this.#checkLeaf(page, holdsTables);
    }
  }

  async #checkLeaf(page: LmdbPage, holdsTables: boolean): Promise<void> {
    for (const { kind, value } of decodeLmdbLeaf(page)) {
      if (kind === 'overflow') {
        const { first, pages } = value as OverflowValue;
        this.#requireInFile(first, pages);
      } else if (kind === 'table' && holdsTables) {
        await this.#checkTree(value as LmdbTree, false);
      }
    }
  }

  async #read(number: number): Promise<LmdbPage> {
    const bytes = await this.#file.read(number * LMDB_PAGE_BYTES, LMDB_PAGE_BYTES);
    return { file: this.#path, number, bytes };
  }

  #requireInFile(first: number, count: number): void {
    const last = first + count - 1;
    if (first < META_PAGES || last > this.#lastPage) {
      throw this.#damaged(`it refers to page ${first}, which cannot be`);
    }
    if ((last + 1) * LMDB_PAGE_BYTES > this.#fileBytes) {
      throw this.#damaged(
        `it is truncated: page ${last} is missing from its ${this.#fileBytes} bytes`,
      );
    }
  }

  #damaged(reason: string): BackendOpenError {
    return new BackendOpenError(this.#path, reason);
  }
}
