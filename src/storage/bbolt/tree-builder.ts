import { EMPTY_BYTES } from '../../base/bytes.js';
import { type BranchElement, branchElementBytes } from './branch.js';
import type { LeafElement } from './leaf.js';
import type { OpenLeaf } from './open-leaf.js';
import { ELEMENT_BYTES, MAX_ELEMENTS, PAGE_HEADER_BYTES } from './page.js';

/** Takes finished pages in the order of their ids. */
export interface PageSink<Leaf extends OpenLeaf = OpenLeaf> {
  /** Makes the leaf that a tree fills time and again. */
  openLeaf(): Leaf;
  /** Both return the id of the page. */
  leaf(leaf: Leaf): number;
  branch(children: readonly BranchElement[], bytes: number): number;
}

/**
 * A finished tree: its root page, or, if it is small, the value of a bucket that has all its elements
 * and no page.
 */
export type BuiltTree = { readonly page: number } | { readonly inline: Buffer };

/** A branch gets no fewer children: bbolt asserts it when it rebalances (reference: formats 3.8). */
const LEAST_CHILDREN = 2;
/** A leaf of up to this fraction of a page is kept inline. */
const INLINE_FRACTION = 1 / 4;

/**
 * Packs elements, which come in the order of their keys, into the pages of one tree. It keeps nothing
 * of what it is given, which may be overwritten thereafter. Pages are finished from the bottom up, so
 * that besides the open leaf it holds two branch pages a level. Throws Error where it sees that a
 * leaf does not follow the one before it.
 */
export class TreeBuilder<Leaf extends OpenLeaf = OpenLeaf> {
  readonly #sink: PageSink<Leaf>;
  readonly #pageBytes: number;
  readonly #levels: BranchLevel[] = [];
  readonly #leaf: Leaf;
  /** Of the leaf before: a look at each leaf costs little, and a wrong source is seldom in order. */
  #lastFirstKey: Uint8Array = EMPTY_BYTES;

  constructor(sink: PageSink<Leaf>, pageBytes: number) {
    this.#sink = sink;
    this.#pageBytes = pageBytes;
    this.#leaf = sink.openLeaf();
  }

  add(element: LeafElement): void {
    this.#makeRoom(element.key.length + element.value.length);
    this.#leaf.add(element);
  }

  /** Adds a pair where it lies, as {@link OpenLeaf.addPlaced} has it. */
  addPlaced(source: Uint8Array, keyAt: number, valueAt: number, end: number): void {
    this.#makeRoom(end - keyAt);
    this.#leaf.addPlaced(source, keyAt, valueAt, end);
  }

  /** @param mayBeInline false for the root bucket, which needs a page */
  finish(mayBeInline: boolean): BuiltTree {
    const leaf = this.#leaf;
    const isAlone = this.#levels.length === 0;
    if (isAlone && mayBeInline && leaf.bytes <= this.#pageBytes * INLINE_FRACTION) {
      return { inline: leaf.inlineBucket() };
    }
    if (isAlone) return { page: this.#sink.leaf(leaf) };
    this.#finishLeaf();
    for (let level = 0; ; level++) {
      const branch = this.#level(level);
      const only = branch.onlyChild();
      if (only !== undefined) return { page: only.page };
      branch.finish();
    }
  }

  #makeRoom(dataBytes: number): void {
    const { count, bytes } = this.#leaf;
    if (count === 0) return;
    const isFull = bytes + ELEMENT_BYTES + dataBytes > this.#pageBytes || count === MAX_ELEMENTS;
    if (isFull) this.#finishLeaf();
  }

  #finishLeaf(): void {
    const leaf = this.#leaf;
    if (leaf.count === 0) throw new Error('a leaf below a branch is never empty');
    const key = leaf.firstKey();
    if (Buffer.compare(this.#lastFirstKey, key) >= 0) {
      throw new Error('the source of a bbolt file has keys out of order');
    }
    this.#lastFirstKey = key;
    this.#level(0).add({ key, page: this.#sink.leaf(leaf) });
    leaf.clear();
  }

  #level(level: number): BranchLevel {
    const existing = this.#levels[level];
    if (existing !== undefined) return existing;
    const created = new BranchLevel(this.#pageBytes, (children) => {
      const [first] = children;
      if (first === undefined) throw new Error('a branch has children');
      const page = this.#sink.branch(children, branchBytes(children));
      this.#level(level + 1).add({ key: first.key, page });
    });
    this.#levels[level] = created;
    return created;
  }
}

/** The branch pages of one height, of which the last two are held back to be balanced. */
class BranchLevel {
  readonly #pageBytes: number;
  readonly #emit: (children: readonly BranchElement[]) => void;
  #held: BranchElement[] = [];
  #open: BranchElement[] = [];
  #openBytes = PAGE_HEADER_BYTES;
  #hasEmitted = false;

  constructor(pageBytes: number, emit: (children: readonly BranchElement[]) => void) {
    this.#pageBytes = pageBytes;
    this.#emit = emit;
  }

  add(child: BranchElement): void {
    const bytes = branchElementBytes(child);
    const isFull = this.#openBytes + bytes > this.#pageBytes || this.#open.length === MAX_ELEMENTS;
    if (isFull && this.#open.length >= LEAST_CHILDREN) {
      this.#emitPage(this.#held);
      this.#held = this.#open;
      this.#open = [];
      this.#openBytes = PAGE_HEADER_BYTES;
    }
    this.#open.push(child);
    this.#openBytes += bytes;
  }

  /** The child of a level that needs no page, because there is nothing beside it. */
  onlyChild(): BranchElement | undefined {
    const isAlone = !this.#hasEmitted && this.#held.length === 0 && this.#open.length === 1;
    return isAlone ? this.#open[0] : undefined;
  }

  finish(): void {
    const last = [...this.#held, ...this.#open];
    if (this.#held.length === 0 || last.length < 2 * LEAST_CHILDREN) {
      // Too few for two pages; a page with overflow holds them all.
      this.#emitPage(last);
      return;
    }
    const isBalanced = this.#open.length >= LEAST_CHILDREN;
    const cut = isBalanced ? this.#held.length : Math.ceil(last.length / 2);
    this.#emitPage(last.slice(0, cut));
    this.#emitPage(last.slice(cut));
  }

  #emitPage(children: readonly BranchElement[]): void {
    if (children.length === 0) return;
    this.#hasEmitted = true;
    this.#emit(children);
  }
}

function branchBytes(children: readonly BranchElement[]): number {
  let bytes = PAGE_HEADER_BYTES;
  for (const child of children) bytes += branchElementBytes(child);
  return bytes;
}
