import type { KeyText } from '../../base/bytes.js';
import { lowerBound } from '../../base/sorted-keys.js';

/** Entries of a leaf and children of an inner node, at most. */
const NODE_CAPACITY = 64;
/** Two neighbouring leaves that together hold no more than this become one. */
const MERGE_BELOW = 32;

class Leaf<V> {
  keys: KeyText[];
  values: V[];
  weight = 0;
  stamp = 0;
  parent: Inner<V> | undefined = undefined;
  next: Leaf<V> | undefined = undefined;
  previous: Leaf<V> | undefined = undefined;

  constructor(keys: KeyText[], values: V[]) {
    this.keys = keys;
    this.values = values;
  }
}

class Inner<V> {
  /** `bounds[i]` is above every key of `children[i]` and not above any of `children[i + 1]`. */
  bounds: KeyText[];
  children: Node<V>[];
  weight = 0;
  stamp = 0;
  parent: Inner<V> | undefined = undefined;

  constructor(bounds: KeyText[], children: Node<V>[]) {
    this.bounds = bounds;
    this.children = children;
  }
}

type Node<V> = Leaf<V> | Inner<V>;

/**
 * A sorted map from key to value: a B+tree whose leaves hold keys and values in parallel arrays, so
 * that an entry costs its string, its value and two slots.
 *
 * Every entry has a weight, 0 or 1, and every change of weights a stamp that never decreases. Each
 * node knows the weight and the latest stamp beneath it; so {@link weightAt} sums the weights as of
 * any stamp by visiting only what changed since, and the two ends of the range.
 *
 * Work on one entry goes through the cursor: {@link seek} places it, the cursor methods act there.
 * Inserting and removing leave the cursor undefined.
 */
export class KeyTree<V> {
  #root: Node<V> = new Leaf<V>([], []);
  #size = 0;
  #cursorLeaf: Leaf<V> = this.#root as Leaf<V>;
  #cursorPosition = 0;
  readonly #weightOf: (value: V) => number;

  /** `weightOf` tells the weight of a value, 0 or 1. */
  constructor(weightOf: (value: V) => number) {
    this.#weightOf = weightOf;
  }

  /** Entries. */
  get size(): number {
    return this.#size;
  }

  /** The sum of all weights. */
  get weight(): number {
    return this.#root.weight;
  }

  get(key: KeyText): V | undefined {
    const leaf = this.#leafOf(key);
    const position = lowerBound(leaf.keys, key);
    return leaf.keys[position] === key ? leaf.values[position] : undefined;
  }

  /** Places the cursor on `key` or where it would go, and returns its value if it is there. */
  seek(key: KeyText): V | undefined {
    const leaf = this.#leafOf(key);
    const position = lowerBound(leaf.keys, key);
    this.#cursorLeaf = leaf;
    this.#cursorPosition = position;
    return leaf.keys[position] === key ? leaf.values[position] : undefined;
  }

  /** Replaces the value under the cursor. */
  replaceAtCursor(value: V): void {
    this.#cursorLeaf.values[this.#cursorPosition] = value;
  }

  /** Changes the weight of the entry under the cursor by `delta`, at `stamp`. */
  addWeightAtCursor(delta: number, stamp: number): void {
    changeWeight(this.#cursorLeaf, delta, stamp);
  }

  /** Inserts an entry of weight `weight` at the cursor, where `seek(key)` found nothing. */
  insertAtCursor(key: KeyText, value: V, weight: number, stamp: number): void {
    const leaf = this.#cursorLeaf;
    leaf.keys.splice(this.#cursorPosition, 0, key);
    leaf.values.splice(this.#cursorPosition, 0, value);
    this.#size++;
    if (weight !== 0) {
      changeWeight(leaf, weight, stamp);
    }
    if (leaf.keys.length > NODE_CAPACITY) {
      this.#splitLeaf(leaf);
    }
  }

  /** Removes the entry under the cursor, which must have weight 0. */
  removeAtCursor(): void {
    const leaf = this.#cursorLeaf;
    leaf.keys.splice(this.#cursorPosition, 1);
    leaf.values.splice(this.#cursorPosition, 1);
    this.#size--;
    if (leaf.keys.length === 0) {
      this.#dropLeaf(leaf);
    } else {
      this.#mergeWithNext(leaf);
    }
  }

  /**
   * Calls `visit` for each entry with start <= key < end in order (`end` undefined: to the last
   * one) until it returns false. `visit` must not insert or remove.
   */
  scan(start: KeyText, end: KeyText | undefined, visit: (key: KeyText, value: V) => boolean): void {
    let leaf: Leaf<V> | undefined = this.#leafOf(start);
    let position = lowerBound(leaf.keys, start);
    while (leaf !== undefined) {
      const { keys, values } = leaf;
      for (; position < keys.length; position++) {
        // Within the bounds of the parallel arrays; a check would only cost.
        const key = keys[position] as KeyText;
        if (end !== undefined && key >= end) {
          return;
        }
        if (!visit(key, values[position] as V)) {
          return;
        }
      }
      leaf = leaf.next;
      position = 0;
    }
  }

  /**
   * The sum of the weights, as of `stamp`, of the entries with start <= key < end (undefined: no
   * bound). `weightOf` tells the weight of a value as of then.
   */
  weightAt(
    start: KeyText | undefined,
    end: KeyText | undefined,
    stamp: number,
    weightOf: (value: V) => number,
  ): number {
    return weightAt(this.#root, start, end, stamp, weightOf);
  }

  #leafOf(key: KeyText): Leaf<V> {
    let node = this.#root;
    while (node instanceof Inner) {
      node = node.children[upperBound(node.bounds, key)] as Node<V>;
    }
    return node;
  }

  #splitLeaf(leaf: Leaf<V>): void {
    // Keys that arrive in order would leave every leaf half full, so they split it at its end.
    const last = leaf.keys.length - 1;
    const isAppend = leaf.next === undefined && this.#cursorPosition === last;
    const middle = isAppend ? last : leaf.keys.length >>> 1;
    const right = new Leaf<V>(leaf.keys.slice(middle), leaf.values.slice(middle));
    leaf.keys = leaf.keys.slice(0, middle);
    leaf.values = leaf.values.slice(0, middle);
    right.next = leaf.next;
    right.previous = leaf;
    if (leaf.next !== undefined) {
      leaf.next.previous = right;
    }
    leaf.next = right;
    this.#attachRight(leaf, right.keys[0] as KeyText, right, this.#weightOfLeaf(right));
  }

  #weightOfLeaf(leaf: Leaf<V>): number {
    let sum = 0;
    for (const value of leaf.values) {
      sum += this.#weightOf(value);
    }
    return sum;
  }

  /** Hangs `right`, split off `left`, behind it; `weight` moves over from `left`. */
  #attachRight(left: Node<V>, bound: KeyText, right: Node<V>, weight: number): void {
    left.weight -= weight;
    right.weight = weight;
    right.stamp = left.stamp;
    const parent = left.parent;
    if (parent === undefined) {
      const root = new Inner<V>([bound], [left, right]);
      root.weight = left.weight + right.weight;
      root.stamp = left.stamp;
      left.parent = root;
      right.parent = root;
      this.#root = root;
      return;
    }
    const position = parent.children.indexOf(left);
    parent.bounds.splice(position, 0, bound);
    parent.children.splice(position + 1, 0, right);
    right.parent = parent;
    if (parent.children.length > NODE_CAPACITY) {
      this.#splitInner(parent);
    }
  }

  #splitInner(node: Inner<V>): void {
    const last = node.children.length - 1;
    const isRightmost = node.parent === undefined || node.parent.children.at(-1) === node;
    const middle = isRightmost ? last - 1 : node.children.length >>> 1;
    const right = new Inner<V>(node.bounds.slice(middle), node.children.slice(middle));
    const bound = node.bounds[middle - 1] as KeyText;
    node.bounds = node.bounds.slice(0, middle - 1);
    node.children = node.children.slice(0, middle);
    let weight = 0;
    for (const child of right.children) {
      child.parent = right;
      weight += child.weight;
    }
    this.#attachRight(node, bound, right, weight);
  }

  #dropLeaf(leaf: Leaf<V>): void {
    if (leaf.parent === undefined) {
      return;
    }
    if (leaf.previous !== undefined) {
      leaf.previous.next = leaf.next;
    }
    if (leaf.next !== undefined) {
      leaf.next.previous = leaf.previous;
    }
    this.#detach(leaf);
  }

  /** Takes an empty node out of its parent, and the parent out of its own if that empties it. */
  #detach(node: Node<V>): void {
    const parent = node.parent;
    if (parent === undefined) {
      return;
    }
    const position = parent.children.indexOf(node);
    parent.children.splice(position, 1);
    parent.bounds.splice(Math.max(0, position - 1), 1);
    if (parent.children.length === 0) {
      this.#detach(parent);
      if (parent === this.#root) {
        this.#root = new Leaf<V>([], []);
      }
      return;
    }
    while (this.#root instanceof Inner && this.#root.children.length === 1) {
      this.#root = this.#root.children[0] as Node<V>;
      this.#root.parent = undefined;
    }
  }

  #mergeWithNext(leaf: Leaf<V>): void {
    const next = leaf.next;
    if (
      next === undefined ||
      next.parent !== leaf.parent ||
      leaf.keys.length + next.keys.length > MERGE_BELOW
    ) {
      return;
    }
    leaf.keys = leaf.keys.concat(next.keys);
    leaf.values = leaf.values.concat(next.values);
    leaf.weight += next.weight;
    leaf.stamp = Math.max(leaf.stamp, next.stamp);
    next.weight = 0;
    this.#dropLeaf(next);
  }
}

function changeWeight<V>(leaf: Leaf<V>, delta: number, stamp: number): void {
  let node: Node<V> | undefined = leaf;
  while (node !== undefined) {
    node.weight += delta;
    node.stamp = stamp;
    node = node.parent;
  }
}

function weightAt<V>(
  node: Node<V>,
  start: KeyText | undefined,
  end: KeyText | undefined,
  stamp: number,
  weightOf: (value: V) => number,
): number {
  if (start === undefined && end === undefined && node.stamp <= stamp) {
    return node.weight;
  }
  let sum = 0;
  if (node instanceof Leaf) {
    const from = start === undefined ? 0 : lowerBound(node.keys, start);
    const to = end === undefined ? node.keys.length : lowerBound(node.keys, end);
    for (let i = from; i < to; i++) {
      sum += weightOf(node.values[i] as V);
    }
    return sum;
  }
  const first = start === undefined ? 0 : upperBound(node.bounds, start);
  const last = end === undefined ? node.bounds.length : upperBound(node.bounds, end);
  for (let i = first; i <= last; i++) {
    const child = node.children[i] as Node<V>;
    const childStart = i === first ? start : undefined;
    const childEnd = i === last ? end : undefined;
    sum += weightAt(child, childStart, childEnd, stamp, weightOf);
  }
  return sum;
}

/** The first position whose key is above `key`. */
function upperBound(keys: readonly KeyText[], key: KeyText): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as KeyText) <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
