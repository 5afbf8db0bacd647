import type { FileHandle, Fs } from '../../platform/fs.js';
import { BboltError } from './bbolt-error.js';
import { decodeBranch, type StoredChild } from './branch.js';
import { type BucketRoot, decodeBucket, decodeLeaf, type StoredElement } from './leaf.js';
import { HUGE_COUNT, PageKind, readU64 } from './page.js';
import { PageReader, type StoredPage } from './page-reader.js';

/** Branches above a leaf, at most: a file that has more goes in circles. */
const MAX_DEPTH = 64;

/** A bucket of the file. */
export interface BboltBucket {
  readonly name: Buffer;
  readonly root: BucketRoot;
}

/** Called with each page of a tree before what is in it is looked at. */
export type PageVisitor = (page: StoredPage) => void;

export interface BboltWalkOptions {
  readonly visit?: PageVisitor | undefined;
  /** From the highest key to the lowest. Default false. */
  readonly reverse?: boolean | undefined;
}

interface StoredLeaf {
  readonly page: StoredPage;
  readonly elements: StoredElement[];
}

/** The keys that a subtree may have: from `from` on, and below `below`. */
interface KeyBounds {
  readonly from: Buffer | undefined;
  readonly below: Buffer | undefined;
}

const ANY_KEY: KeyBounds = { from: undefined, below: undefined };

/**
 * Reads a bbolt file without a lock and without ever writing to it, in memory that doesn't grow with
 * it. All that is read is checked: ids, bounds, kinds and order. Buckets within buckets, which etcd
 * never makes, are an error.
 */
export class BboltFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #pages: PageReader;

  private constructor(file: FileHandle, pages: PageReader) {
    this.path = file.path;
    this.#file = file;
    this.#pages = pages;
  }

  /**
   * @throws BboltError if it is no bbolt file
   * @throws ErrnoException if it can't be read
   */
  static async open(fs: Fs, path: string): Promise<BboltFile> {
    const file = await fs.open(path, { read: true });
    try {
      return new BboltFile(file, await PageReader.open(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get pageBytes(): number {
    return this.#pages.meta.pageBytes;
  }

  /** The transaction that the file was read at. */
  get transaction(): bigint {
    return this.#pages.meta.transaction;
  }

  /** Pages that were ever allocated. */
  get pageCount(): number {
    return this.#pages.meta.highWaterMark;
  }

  /** Bytes of all pages; what is in the file behind them means nothing. */
  get bytes(): number {
    return this.pageCount * this.pageBytes;
  }

  /** The buckets in the order of their names. */
  async *buckets(visit?: PageVisitor): AsyncGenerator<BboltBucket> {
    for await (const { page, elements } of this.#leaves(this.#pages.meta.root, { visit })) {
      for (const { key, value, isBucket } of elements) {
        const offset = page.site.offset + (value.byteOffset - page.bytes.byteOffset);
        const site = { file: this.path, offset };
        if (!isBucket) throw new BboltError(site, `"${key.toString('latin1')}" is not a bucket`);
        yield { name: key, root: decodeBucket(value, site) };
      }
    }
  }

  /** Undefined if there is none of that name. */
  async bucket(name: string): Promise<BboltBucket | undefined> {
    const wanted = Buffer.from(name, 'latin1');
    for await (const bucket of this.buckets()) if (bucket.name.equals(wanted)) return bucket;
    return undefined;
  }

  /** The pairs of a bucket in the order of their keys, a leaf at a time. */
  async *rows(bucket: BboltBucket, visit?: PageVisitor): AsyncGenerator<StoredElement[]> {
    yield* this.walk(bucket, { visit });
  }

  /** As {@link rows}, in either direction. */
  async *walk(bucket: BboltBucket, options: BboltWalkOptions): AsyncGenerator<StoredElement[]> {
    const { root } = bucket;
    const isReverse = options.reverse === true;
    if ('inline' in root) {
      const elements = this.#pairs(root.inline);
      if (elements.length > 0) yield isReverse ? elements.toReversed() : elements;
      return;
    }
    for await (const { elements } of this.#leaves(root.page, options)) {
      yield this.#pairs(isReverse ? elements.toReversed() : elements);
    }
  }

  /** Whether the file was committed to since it was opened: then what was read may be neither. */
  isChanged(): Promise<boolean> {
    return this.#pages.isChanged();
  }

  /** The value of a key, undefined if it has none. */
  async get(bucket: BboltBucket, key: Uint8Array): Promise<Buffer | undefined> {
    const find = (elements: StoredElement[]): Buffer | undefined =>
      this.#pairs(elements).find((element) => element.key.equals(key))?.value;
    if ('inline' in bucket.root) return find(bucket.root.inline);
    let page = await this.#pages.read(bucket.root.page);
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      if (page.header.flags !== PageKind.branch) return find(leafOf(page));
      const children = decodeBranch(page.bytes, page.site);
      const child = children.findLast((each) => each.key.compare(key) <= 0) ?? children[0];
      if (child === undefined) return undefined;
      page = await this.#pages.read(child.page);
    }
    throw new BboltError(page.site, 'the tree goes in circles');
  }

  /** Ids of the stored freelist with the page that holds them; undefined if none is stored. */
  async freelist(): Promise<{ page: StoredPage; ids: number[] } | undefined> {
    const { freelist } = this.#pages.meta;
    if (freelist === undefined) return undefined;
    const page = await this.#pages.read(freelist);
    if (page.header.flags !== PageKind.freelist) throw kindError(page, 'a freelist');
    const isHuge = page.header.count === HUGE_COUNT;
    const count = isHuge ? readU64(page.bytes, 16) : page.header.count;
    const start = isHuge ? 24 : 16;
    if (start + count * 8 > page.bytes.length) {
      throw new BboltError(page.site, `a freelist of ${count} pages is cut off`);
    }
    const ids: number[] = [];
    for (let index = 0; index < count; index++) ids.push(readU64(page.bytes, start + index * 8));
    return { page, ids };
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #pairs(elements: StoredElement[]): StoredElement[] {
    const nested = elements.find(({ isBucket }) => isBucket);
    if (nested !== undefined) {
      const site = { file: this.path, offset: nested.offset };
      throw new BboltError(site, 'a bucket within a bucket is not supported');
    }
    return elements;
  }

  async *#leaves(root: number, options: BboltWalkOptions): AsyncGenerator<StoredLeaf> {
    const page = await this.#pages.read(root);
    options.visit?.(page);
    if (page.header.flags === PageKind.branch) yield* this.#subtree(page, options, ANY_KEY, 0);
    // Only a tree that is a single leaf may be empty.
    else yield { page, elements: leafOf(page) };
  }

  /** The leaves below a branch, each checked to lie between the keys around it. */
  async *#subtree(
    branch: StoredPage,
    options: BboltWalkOptions,
    bounds: KeyBounds,
    depth: number,
  ): AsyncGenerator<StoredLeaf> {
    if (depth === MAX_DEPTH) throw new BboltError(branch.site, 'the tree goes in circles');
    const children = decodeBranch(branch.bytes, branch.site);
    requireWithin(children, bounds, branch);
    const order = [...children.entries()];
    if (options.reverse === true) order.reverse();
    for (const [index, child] of order) {
      const page = await this.#pages.read(child.page);
      options.visit?.(page);
      const within = { from: child.key, below: children[index + 1]?.key ?? bounds.below };
      if (page.header.flags === PageKind.branch) {
        yield* this.#subtree(page, options, within, depth + 1);
        continue;
      }
      const elements = leafOf(page);
      if (elements.length === 0) throw new BboltError(page.site, 'a leaf below a branch is empty');
      requireWithin(elements, within, page);
      yield { page, elements };
    }
  }
}

function leafOf(page: StoredPage): StoredElement[] {
  if (page.header.flags !== PageKind.leaf) throw kindError(page, 'a leaf or a branch');
  return decodeLeaf(page.bytes, page.site);
}

/** Since keys ascend within a page, its first and last tell of all. */
function requireWithin(
  elements: readonly (StoredElement | StoredChild)[],
  { from, below }: KeyBounds,
  page: StoredPage,
): void {
  const first = elements[0]?.key;
  const last = elements.at(-1)?.key;
  const isLow = from !== undefined && first !== undefined && first.compare(from) < 0;
  const isHigh = below !== undefined && last !== undefined && last.compare(below) >= 0;
  if (isLow || isHigh) {
    throw new BboltError(page.site, `page ${page.header.id} has keys of another subtree`);
  }
}

function kindError({ header, site }: StoredPage, expected: string): BboltError {
  return new BboltError(
    site,
    `page ${header.id} is not ${expected}: its flags are 0x${header.flags.toString(16)}`,
  );
}
