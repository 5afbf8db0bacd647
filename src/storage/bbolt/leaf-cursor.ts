import { BboltError } from './bbolt-error.js';
import { decodeBranch, type StoredChild } from './branch.js';
import { type LeafPlaces, locateLeaf } from './leaf.js';
import { PageKind } from './page.js';
import type { PageReader, StoredPage } from './page-reader.js';

/** Branches above a leaf, at most: a file that has more goes in circles. */
export const MAX_DEPTH = 64;

/** Called with each page of a tree before what is in it is looked at. */
export type PageVisitor = (page: StoredPage) => void;

export interface LeafCursorOptions {
  readonly visit?: PageVisitor | undefined;
  /** From the highest key to the lowest. Default false. */
  readonly reverse?: boolean | undefined;
}

/** The keys that a subtree may have: from `from` on, and below `below`. */
interface KeyBounds {
  readonly from: Buffer | undefined;
  readonly below: Buffer | undefined;
}

const ANY_KEY: KeyBounds = { from: undefined, below: undefined };

/** A branch on the way to the leaf where the cursor is. */
interface Turnoff {
  readonly children: readonly StoredChild[];
  readonly below: Buffer | undefined;
  /** How many of the children were gone into. */
  done: number;
}

/** Goes through the leaves of a tree, each checked to lie between the keys around it. */
export class LeafCursor {
  readonly #pages: PageReader;
  readonly #visit: PageVisitor | undefined;
  readonly #isReverse: boolean;
  readonly #turnoffs: Turnoff[] = [];
  /** Page to go into next, and the keys that it may have. */
  #page: number | undefined;
  #bounds = ANY_KEY;

  constructor(pages: PageReader, root: number, { visit, reverse }: LeafCursorOptions) {
    this.#pages = pages;
    this.#page = root;
    this.#visit = visit;
    this.#isReverse = reverse === true;
  }

  /**
   * The next leaf, at once if its page is in memory; undefined after the last.
   * @throws BboltError
   * @throws ErrnoException if it can't be read
   */
  next(): LeafPlaces | undefined | Promise<LeafPlaces | undefined> {
    for (;;) {
      const id = this.#page;
      if (id === undefined) return undefined;
      const page = this.#pages.peek(id);
      if (page === undefined) {
        return this.#pages.read(id).then((read) => this.#enter(read) ?? this.next());
      }
      const leaf = this.#enter(page);
      if (leaf !== undefined) return leaf;
    }
  }

  /** The leaf if the page is one. */
  #enter(page: StoredPage): LeafPlaces | undefined {
    this.#visit?.(page);
    const isRoot = this.#turnoffs.length === 0;
    if (page.header.flags === PageKind.branch) {
      this.#enterBranch(page);
      return undefined;
    }
    const leaf = leafOf(page);
    // Only a tree that is a single leaf may be empty.
    if (!isRoot) {
      if (leaf.count === 0) throw new BboltError(page.site, 'a leaf below a branch is empty');
      const { bytes, places, count } = leaf;
      const first = bytes.subarray(places[0], places[1]);
      const last = bytes.subarray(places[2 * count - 2], places[2 * count - 1]);
      requireWithin(first, last, this.#bounds, page);
    }
    this.#advance();
    return leaf;
  }

  #enterBranch(page: StoredPage): void {
    if (this.#turnoffs.length === MAX_DEPTH) {
      throw new BboltError(page.site, 'the tree goes in circles');
    }
    const children = decodeBranch(page.bytes, page.site);
    requireWithin(children[0]?.key, children.at(-1)?.key, this.#bounds, page);
    this.#turnoffs.push({ children, below: this.#bounds.below, done: 0 });
    this.#advance();
  }

  #advance(): void {
    for (;;) {
      const turnoff = this.#turnoffs.at(-1);
      if (turnoff === undefined) {
        this.#page = undefined;
        return;
      }
      const { children, below } = turnoff;
      const done = turnoff.done++;
      const index = this.#isReverse ? children.length - 1 - done : done;
      const child = children[index];
      if (child !== undefined) {
        this.#page = child.page;
        this.#bounds = { from: child.key, below: children[index + 1]?.key ?? below };
        return;
      }
      this.#turnoffs.pop();
    }
  }
}

/** @throws BboltError if the page is something else, or damaged */
export function leafOf(page: StoredPage): LeafPlaces {
  if (page.header.flags !== PageKind.leaf) throw pageKindError(page, 'a leaf or a branch');
  return locateLeaf(page.bytes, page.site);
}

/** Since keys ascend within a page, its first and last tell of all. */
function requireWithin(
  first: Buffer | undefined,
  last: Buffer | undefined,
  { from, below }: KeyBounds,
  page: StoredPage,
): void {
  const isLow = from !== undefined && first !== undefined && first.compare(from) < 0;
  const isHigh = below !== undefined && last !== undefined && last.compare(below) >= 0;
  if (isLow || isHigh) {
    throw new BboltError(page.site, `page ${page.header.id} has keys of another subtree`);
  }
}

export function pageKindError({ header, site }: StoredPage, expected: string): BboltError {
  return new BboltError(
    site,
    `page ${header.id} is not ${expected}: its flags are 0x${header.flags.toString(16)}`,
  );
}
