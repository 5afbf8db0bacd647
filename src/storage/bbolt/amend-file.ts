import type { FileHandle, Fs } from '../../platform/fs.js';
import type { Row } from '../backend/backend.js';
import { type BboltBucket, BboltFile } from './bbolt-file.js';
import { type BranchElement, decodeBranch, encodeBranch } from './branch.js';
import { elementsOf, encodeBucket, type LeafElement, type LeafPlaces } from './leaf.js';
import { encodeMetaPage } from './meta.js';
import { PackedLeaf } from './open-leaf.js';
import { PageKind } from './page.js';
import type { StoredPage } from './page-reader.js';
import { type PageSink, TreeBuilder } from './tree-builder.js';

/** What becomes of a bbolt file. Buckets that are not named here stay as they are. */
export interface BboltAmendment {
  /** Buckets that get other contents, or come to be: all their pairs in the order of the keys. */
  readonly replaced: ReadonlyMap<string, readonly Row[]>;
  /** A pair that goes behind all others of a bucket that is there. */
  readonly appended?: { readonly bucket: string; readonly row: Row };
}

/**
 * Changes a few small buckets of a file that nobody has open, in the way of a bbolt transaction: new
 * pages go behind the old ones, and both meta pages then point to them. What is not changed is not
 * even read. The file ends with its last page then, and has no stored freelist; the pages that are
 * replaced become free. Not atomic: it is for a copy that has no name yet.
 * @throws BboltError if the file is damaged where it is changed
 */
export async function amendBboltFile(
  fs: Fs,
  path: string,
  { replaced, appended }: BboltAmendment,
): Promise<void> {
  const source = await BboltFile.open(fs, path);
  const file = await fs.open(path, { read: true, write: true });
  try {
    const pages = new PageAppender(source);
    const buckets = new Map<string, Buffer>();
    for await (const bucket of source.buckets()) {
      const name = bucket.name.toString('latin1');
      if (replaced.has(name)) continue;
      buckets.set(
        name,
        appended?.bucket === name
          ? await withRow(source, bucket, appended.row, pages)
          : bucketValue(bucket),
      );
    }
    for (const [name, rows] of replaced) buckets.set(name, buildBucket(rows, pages));
    const root = buildRoot(buckets, pages);
    await pages.writeTo(file);
    await writeMetas(file, source, root, pages.next);
    await file.truncate(pages.next * source.pageBytes);
    await file.sync();
  } finally {
    await file.close();
    await source.close();
  }
}

function bucketValue({ root }: BboltBucket): Buffer {
  return 'inline' in root ? leafOf(root.inline).inlineBucket() : encodeBucket(root.page);
}

function leafOf(places: LeafPlaces): PackedLeaf {
  const leaf = new PackedLeaf();
  for (const element of elementsOf(places)) leaf.add(element);
  return leaf;
}

function buildBucket(rows: readonly Row[], pages: PageAppender): Buffer {
  return bucketOf(
    rows.map(([key, value]) => ({ key, value, isBucket: false })),
    pages,
  );
}

function bucketOf(elements: readonly LeafElement[], pages: PageAppender): Buffer {
  const tree = new TreeBuilder(pages, pages.pageBytes);
  for (const element of elements) tree.add(element);
  const built = tree.finish(true);
  return 'page' in built ? encodeBucket(built.page) : built.inline;
}

function buildRoot(buckets: ReadonlyMap<string, Buffer>, pages: PageAppender): number {
  const tree = new TreeBuilder(pages, pages.pageBytes);
  const sorted = [...buckets].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted) {
    tree.add({ key: Buffer.from(name, 'latin1'), value, isBucket: true });
  }
  const built = tree.finish(false);
  if (!('page' in built)) throw new Error('the root bucket of a file has a page');
  return built.page;
}

/**
 * The value of a bucket with one more pair behind its last: the pages from the root to the last leaf
 * are written anew. They may grow beyond a page, which bbolt mends when it next writes there.
 */
async function withRow(
  source: BboltFile,
  bucket: BboltBucket,
  [key, value]: Row,
  pages: PageAppender,
): Promise<Buffer> {
  const edge: StoredPage[] = [];
  const visit = (page: StoredPage) => void edge.push(page);
  let last: readonly LeafElement[] = [];
  for await (const elements of source.walk(bucket, { visit, reverse: true })) {
    last = elements.toReversed();
    break;
  }
  const grown = [...last, { key, value, isBucket: false }];
  if ('inline' in bucket.root) return bucketOf(grown, pages);
  const leaf = new PackedLeaf();
  for (const element of grown) leaf.add(element);
  let page = pages.leaf(leaf);
  for (const { bytes: stored, site, header } of edge.reverse()) {
    if (header.flags !== PageKind.branch) continue;
    page = pages.branch(withLastChild(decodeBranch(stored, site), page), stored.length);
  }
  return encodeBucket(page);
}

function withLastChild(children: readonly BranchElement[], page: number): BranchElement[] {
  return children.map((child, index) => {
    return index === children.length - 1 ? { key: child.key, page } : child;
  });
}

/** Newer transactions than all before; each has its place (reference: formats 3.2). */
async function writeMetas(
  file: FileHandle,
  source: BboltFile,
  root: number,
  highWaterMark: number,
): Promise<void> {
  const { pageBytes } = source;
  for (const transaction of [source.transaction + 1n, source.transaction + 2n]) {
    const page = transaction % 2n === 0n ? 0 : 1;
    const bytes = Buffer.alloc(pageBytes);
    const meta = { pageBytes, root, freelist: undefined, highWaterMark, transaction };
    encodeMetaPage(bytes, 0, page, meta);
    await file.write([bytes], page * pageBytes);
  }
}

/** Gathers pages that go behind those of a file. */
class PageAppender implements PageSink<PackedLeaf> {
  readonly pageBytes: number;
  readonly #first: number;
  readonly #pages: Buffer[] = [];
  /** Id of the next page. */
  next: number;

  constructor({ pageBytes, pageCount }: BboltFile) {
    this.pageBytes = pageBytes;
    this.#first = pageCount;
    this.next = pageCount;
  }

  openLeaf(): PackedLeaf {
    return new PackedLeaf();
  }

  leaf(leaf: PackedLeaf): number {
    const { id, overflow, target } = this.#take(leaf.bytes);
    leaf.encode(target, 0, { id, overflow });
    return id;
  }

  branch(children: readonly BranchElement[], bytes: number): number {
    const { id, overflow, target } = this.#take(bytes);
    encodeBranch(target, 0, { id, overflow }, children);
    return id;
  }

  async writeTo(file: FileHandle): Promise<void> {
    await file.write(this.#pages, this.#first * this.pageBytes);
  }

  #take(bytes: number): { id: number; overflow: number; target: Buffer } {
    const count = Math.ceil(bytes / this.pageBytes);
    const target = Buffer.alloc(count * this.pageBytes);
    const id = this.next;
    this.next += count;
    this.#pages.push(target);
    return { id, overflow: count - 1, target };
  }
}
