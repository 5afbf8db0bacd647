import { type BranchElement, branchElementBytes } from './branch.js';
import { type LeafElement, leafElementBytes } from './leaf.js';
import { MAX_ELEMENTS, PAGE_HEADER_BYTES } from './page.js';

/** Takes finished pages in the order of their ids. Both methods return the id of the page. */
export interface PageSink {
  leaf(elements: readonly LeafElement[], bytes: number): number;
  branch(children: readonly BranchElement[], bytes: number): number;
}

/** A finished tree: its root page, or, if it is small, its elements, which no page holds. */
export type BuiltTree = { readonly page: number } | { readonly inline: readonly LeafElement[] };

/** A branch gets no fewer children: bbolt asserts it when it rebalances (reference: formats 3.8). */
const LEAST_CHILDREN = 2;
/** A leaf of up to this fraction of a page is kept inline. */
const INLINE_FRACTION = 1 / 4;

/**
 * Packs elements, which come in the order of their keys, into the pages of one tree. Pages are
 * finished from the bottom up, so that besides the open leaf it keeps two branch pages a level.
 */
export class TreeBuilder {
  readonly #sink: PageSink;
  readonly #pageBytes: number;
  readonly #levels: BranchLevel[] = [];
  #leaf: LeafElement[] = [];
  #leafBytes = PAGE_HEADER_BYTES;

  constructor(sink: PageSink, pageBytes: number) {
    this.#sink = sink;
    this.#pageBytes = pageBytes;
  }

  add(element: LeafElement): void {
    const bytes = leafElementBytes(element);
    const isFull = this.#leafBytes + bytes > this.#pageBytes || this.#leaf.length === MAX_ELEMENTS;
    if (isFull && this.#leaf.length > 0) this.#finishLeaf();
    this.#leaf.push(element);
    this.#leafBytes += bytes;
  }

  /** @param mayBeInline false for the root bucket, which needs a page */
  finish(mayBeInline: boolean): BuiltTree {
    const isAlone = this.#levels.length === 0;
    if (isAlone && mayBeInline && this.#leafBytes <= this.#pageBytes * INLINE_FRACTION) {
      return { inline: this.#leaf };
    }
    if (isAlone) return { page: this.#sink.leaf(this.#leaf, this.#leafBytes) };
    this.#finishLeaf();
    for (let level = 0; ; level++) {
      const branch = this.#level(level);
      const only = branch.onlyChild();
      if (only !== undefined) return { page: only.page };
      branch.finish();
    }
  }

  #finishLeaf(): void {
    const [first] = this.#leaf;
    if (first === undefined) throw new Error('a leaf below a branch is never empty');
    const page = this.#sink.leaf(this.#leaf, this.#leafBytes);
    this.#leaf = [];
    this.#leafBytes = PAGE_HEADER_BYTES;
    // A copy, lest a key keep the piece of a file that it was read from.
    this.#level(0).add({ key: Uint8Array.from(first.key), page });
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
