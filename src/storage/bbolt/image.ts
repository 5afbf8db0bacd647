import type { RowVisitor } from '../backend/backend.js';
import { encodeBranch } from './branch.js';
import { encodeBucket } from './leaf.js';
import { encodeMetaPage } from './meta.js';
import { CountedLeaf, type OpenLeaf, PackedLeaf } from './open-leaf.js';
import { encodePageHeader, PAGE_BYTES, PageKind } from './page.js';
import { type PageSink, TreeBuilder } from './tree-builder.js';

/** Sorted buckets of sorted pairs, read twice: both readings must give the same. */
export interface ImageSource {
  /** Names in byte order. */
  readonly buckets: readonly string[];
  /**
   * Pairs in the order of their keys, which are unique and have 1 to 32768 bytes. Each is done with
   * when the next is asked for.
   */
  rows(bucket: string): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /**
   * The same pairs, shown where they lie, where that is faster.
   * @param lengthsOnly values need not be there: only where they would end counts
   */
  visit?(bucket: string, visit: RowVisitor, lengthsOnly: boolean): Iterable<void> | undefined;
}

export interface ImageOptions {
  /**
   * Whether the file has a freelist page, as bbolt's own tools write it; an etcd on Linux keeps
   * none. Default false.
   */
  readonly storeFreelist?: boolean;
}

/** What must be known of a file before its first byte can be written. */
export interface ImageLayout {
  readonly pageCount: number;
  /** Length of the file. */
  readonly bytes: number;
  /** Page of the tree that holds the buckets. */
  readonly root: number;
  readonly storeFreelist: boolean;
}

/** The file comes in blocks of so many bytes; the last may be shorter. */
export const BLOCK_BYTES = 8 * PAGE_BYTES;

/** Work between two steps, for callers that share their thread: rows, and bytes if they are large. */
const STEP_ROWS = 256;
const STEP_BYTES = 64 * 1024;
/** Page 0 carries the newer of the two transactions (reference: formats 3.6). */
const NEWER_TRANSACTION = 2n;
const FREELIST_PAGE = 2;

/**
 * First reading of the source: finds out how long the file will be and where its root is. Memory
 * doesn't grow with the source. Each step is short; the result is the layout.
 */
export function* planImage(
  source: ImageSource,
  { storeFreelist = false }: ImageOptions = {},
): Generator<undefined, ImageLayout> {
  const pages = new PageCounter(firstTreePage(storeFreelist));
  const root = yield* buildTrees(source, pages);
  return { pageCount: pages.next, bytes: pages.next * PAGE_BYTES, root, storeFreelist };
}

/**
 * Second reading: the bytes of the file in order, as blocks that the caller may keep. A caller that
 * stops early must `return()` the generator.
 * @throws Error if the source differs from what `layout` was made of
 */
export function* writeImage(source: ImageSource, layout: ImageLayout): Generator<Buffer> {
  const pages = new PageEncoder(firstTreePage(layout.storeFreelist));
  encodeHead(pages, layout);
  const building = buildTrees(source, pages);
  try {
    for (let step = building.next(); ; step = building.next()) {
      yield* pages.takeBlocks();
      if (!step.done) continue;
      if (step.value !== layout.root || pages.next !== layout.pageCount) {
        throw new Error('the source of a bbolt file changed between its two readings');
      }
      break;
    }
  } finally {
    building.return(0);
  }
  const rest = pages.rest();
  if (rest.length > 0) yield rest;
}

function firstTreePage(storeFreelist: boolean): number {
  return storeFreelist ? FREELIST_PAGE + 1 : FREELIST_PAGE;
}

function encodeHead(pages: PageEncoder, layout: ImageLayout): void {
  const meta = {
    pageBytes: PAGE_BYTES,
    root: layout.root,
    freelist: layout.storeFreelist ? FREELIST_PAGE : undefined,
    highWaterMark: layout.pageCount,
  };
  pages.write(1, (target, at) => {
    encodeMetaPage(target, at, 0, { ...meta, transaction: NEWER_TRANSACTION });
  });
  pages.write(1, (target, at) => {
    encodeMetaPage(target, at, 1, { ...meta, transaction: NEWER_TRANSACTION - 1n });
  });
  if (!layout.storeFreelist) return;
  pages.write(1, (target, at) => {
    const header = { id: FREELIST_PAGE, flags: PageKind.freelist, count: 0, overflow: 0 };
    encodePageHeader(target, at, header);
  });
}

/** Feeds all buckets, then the bucket of buckets, to trees. The result is the root page. */
function* buildTrees<Leaf extends OpenLeaf>(
  source: ImageSource,
  sink: ImageSink<Leaf>,
): Generator<undefined, number> {
  const root = new TreeBuilder(sink, PAGE_BYTES);
  for (const name of source.buckets) {
    const value = yield* buildBucket(source, name, sink);
    root.add({ key: Buffer.from(name, 'latin1'), value, isBucket: true });
  }
  const built = root.finish(false);
  if (!('page' in built)) throw new Error('the root bucket of a file has a page');
  return built.page;
}

/** The result is the value of the bucket's element. */
function* buildBucket<Leaf extends OpenLeaf>(
  source: ImageSource,
  bucket: string,
  sink: ImageSink<Leaf>,
): Generator<undefined, Buffer> {
  const tree = new TreeBuilder(sink, PAGE_BYTES);
  let rows = 0;
  let bytes = 0;
  const visit: RowVisitor = (place, keyAt, valueAt, end) => {
    tree.addPlaced(place, keyAt, valueAt, end);
    rows++;
    bytes += end - keyAt;
  };
  const add = (key: Uint8Array, value: Uint8Array) => {
    tree.add({ key, value, isBucket: false });
    rows++;
    bytes += key.length + value.length;
  };
  const reading =
    source.visit?.(bucket, visit, sink.lengthsOnly) ?? addEach(source.rows(bucket), add);
  for (const _ of reading) {
    if (rows < STEP_ROWS && bytes < STEP_BYTES) continue;
    yield;
    rows = 0;
    bytes = 0;
  }
  const built = tree.finish(true);
  return 'page' in built ? encodeBucket(built.page) : built.inline;
}

function* addEach(
  rows: ReturnType<ImageSource['rows']>,
  add: (key: Uint8Array, value: Uint8Array) => void,
): Generator<void> {
  for (const [key, value] of rows) {
    add(key, value);
    yield;
  }
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

interface ImageSink<Leaf extends OpenLeaf> extends PageSink<Leaf> {
  /** Whether it takes no bytes of values. */
  readonly lengthsOnly: boolean;
}

/** Gives out page ids and writes nothing. */
class PageCounter implements ImageSink<CountedLeaf> {
  readonly lengthsOnly = true;
  next: number;

  constructor(first: number) {
    this.next = first;
  }

  openLeaf(): CountedLeaf {
    return new CountedLeaf();
  }

  leaf({ bytes }: CountedLeaf): number {
    return this.#take(bytes);
  }

  branch(_children: unknown, bytes: number): number {
    return this.#take(bytes);
  }

  #take(bytes: number): number {
    const id = this.next;
    this.next += pagesOf(bytes);
    return id;
  }
}

/** Writes pages one behind the other into blocks. */
export class PageEncoder implements ImageSink<PackedLeaf> {
  readonly lengthsOnly = false;
  next: number;
  #block = Buffer.alloc(BLOCK_BYTES);
  #used = 0;
  #finished: Buffer[] = [];

  constructor(first: number) {
    this.next = first;
  }

  openLeaf(): PackedLeaf {
    return new PackedLeaf();
  }

  leaf(leaf: PackedLeaf): number {
    const id = this.next;
    const count = pagesOf(leaf.bytes);
    this.write(count, (target, at) => leaf.encode(target, at, { id, overflow: count - 1 }));
    this.next += count;
    return id;
  }

  branch(children: Parameters<PageSink['branch']>[0], bytes: number): number {
    const id = this.next;
    const count = pagesOf(bytes);
    this.write(count, (target, at) => {
      encodeBranch(target, at, { id, overflow: count - 1 }, children);
    });
    this.next += count;
    return id;
  }

  /** Lets `encode` fill `count` zeroed pages. */
  write(count: number, encode: (target: Buffer, at: number) => void): void {
    const bytes = count * PAGE_BYTES;
    if (this.#used + bytes <= BLOCK_BYTES) {
      encode(this.#block, this.#used);
      this.#advance(bytes);
      return;
    }
    const pages = Buffer.alloc(bytes);
    encode(pages, 0);
    for (let at = 0; at < bytes; ) {
      const copied = pages.copy(this.#block, this.#used, at);
      at += copied;
      this.#advance(copied);
    }
  }

  takeBlocks(): Buffer[] {
    const blocks = this.#finished;
    if (blocks.length > 0) this.#finished = [];
    return blocks;
  }

  /** The last block, not full. */
  rest(): Buffer {
    return this.#block.subarray(0, this.#used);
  }

  #advance(bytes: number): void {
    this.#used += bytes;
    if (this.#used < BLOCK_BYTES) return;
    this.#finished.push(this.#block);
    this.#block = Buffer.alloc(BLOCK_BYTES);
    this.#used = 0;
  }
}
