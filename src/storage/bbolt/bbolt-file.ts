import type { FileHandle, Fs } from '../../platform/fs.js';
import { BboltError } from './bbolt-error.js';
import { decodeBranch } from './branch.js';
import {
  type BucketRoot,
  decodeBucket,
  elementsOf,
  type LeafPlaces,
  type StoredElement,
} from './leaf.js';
import { LeafCursor, leafOf, MAX_DEPTH, type PageVisitor, pageKindError } from './leaf-cursor.js';
import { HUGE_COUNT, PageKind, readU64 } from './page.js';
import { PageReader, type StoredPage } from './page-reader.js';

export type { PageVisitor };

/** A bucket of the file. */
export interface BboltBucket {
  readonly name: Buffer;
  readonly root: BucketRoot;
}

export interface BboltWalkOptions {
  readonly visit?: PageVisitor | undefined;
  /** From the highest key to the lowest. Default false. */
  readonly reverse?: boolean | undefined;
}

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
    for await (const leaf of this.#leaves(this.#pages.meta.root, { visit })) {
      for (const { key, value, isBucket } of elementsOf(leaf)) {
        const offset = leaf.site.offset + (value.byteOffset - leaf.bytes.byteOffset);
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
      const elements = elementsOf(this.#pairs(root.inline));
      if (elements.length > 0) yield isReverse ? elements.toReversed() : elements;
      return;
    }
    for await (const leaf of this.#leaves(root.page, options)) {
      const elements = elementsOf(this.#pairs(leaf));
      yield isReverse ? elements.toReversed() : elements;
    }
  }

  /**
   * As {@link rows}, for whoever sums up a whole file: `take` gets the leaves themselves, and nothing
   * is made for each pair.
   */
  async eachLeaf(
    { root }: BboltBucket,
    visit: PageVisitor | undefined,
    take: (leaf: LeafPlaces) => void,
  ): Promise<void> {
    if ('inline' in root) {
      take(this.#pairs(root.inline));
      return;
    }
    const cursor = new LeafCursor(this.#pages, root.page, { visit });
    for (;;) {
      const next = cursor.next();
      const leaf = next instanceof Promise ? await next : next;
      if (leaf === undefined) return;
      take(this.#pairs(leaf));
    }
  }

  /** Whether the file was committed to since it was opened: then what was read may be neither. */
  isChanged(): Promise<boolean> {
    return this.#pages.isChanged();
  }

  /** The value of a key, undefined if it has none. */
  async get(bucket: BboltBucket, key: Uint8Array): Promise<Buffer | undefined> {
    const find = (leaf: LeafPlaces): Buffer | undefined =>
      elementsOf(this.#pairs(leaf)).find((element) => element.key.equals(key))?.value;
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
    if (page.header.flags !== PageKind.freelist) throw pageKindError(page, 'a freelist');
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

  async close(): Promise<void> {
    await this.#pages.settled();
    await this.#file.close();
  }

  #pairs(leaf: LeafPlaces): LeafPlaces {
    const { firstBucket, places, site } = leaf;
    if (firstBucket === -1) return leaf;
    const offset = site.offset + (places[2 * firstBucket] ?? 0);
    throw new BboltError({ file: this.path, offset }, 'a bucket within a bucket is not supported');
  }

  async *#leaves(root: number, options: BboltWalkOptions): AsyncGenerator<LeafPlaces> {
    const cursor = new LeafCursor(this.#pages, root, options);
    for (;;) {
      const leaf = await cursor.next();
      if (leaf === undefined) return;
      yield leaf;
    }
  }
}
