import type { KeyText } from '../../base/bytes.js';

/** A half-open key range; `end` undefined reaches to the last key. */
export interface KeyRange {
  readonly start: KeyText;
  readonly end: KeyText | undefined;
}

interface Node<Value extends KeyRange> {
  readonly value: Value;
  readonly priority: number;
  left: Node<Value> | undefined;
  right: Node<Value> | undefined;
  /** The greatest end below and including this node; undefined is beyond every key. */
  maxEnd: KeyText | undefined;
}

/**
 * Distinct key ranges, searched for those that contain a key in O(log n + hits).
 * A treap by (start, end) in which each node knows the greatest end of its subtree. Priorities come
 * from a fixed xorshift sequence: the shape needs no randomness from outside, only spread.
 */
export class IntervalTree<Value extends KeyRange> {
  #root: Node<Value> | undefined;
  #seed = 0x2545f491;

  insert(value: Value): void {
    const node: Node<Value> = {
      value,
      priority: this.#nextPriority(),
      left: undefined,
      right: undefined,
      maxEnd: value.end,
    };
    this.#root = insertNode(this.#root, node);
  }

  remove(value: Value): void {
    this.#root = removeNode(this.#root, value);
  }

  /** Calls `visit` for each range that contains `key`, in the order of the starts. */
  stab(key: KeyText, visit: (value: Value) => void): void {
    stabNode(this.#root, key, visit);
  }

  #nextPriority(): number {
    let x = this.#seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#seed = x;
    return x >>> 0;
  }
}

function compareEnds(a: KeyText | undefined, b: KeyText | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -1 : 1;
}

function compareRanges(a: KeyRange, b: KeyRange): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return compareEnds(a.end, b.end);
}

function update<Value extends KeyRange>(node: Node<Value>): Node<Value> {
  let maxEnd = node.value.end;
  if (node.left && compareEnds(node.left.maxEnd, maxEnd) > 0) maxEnd = node.left.maxEnd;
  if (node.right && compareEnds(node.right.maxEnd, maxEnd) > 0) maxEnd = node.right.maxEnd;
  node.maxEnd = maxEnd;
  return node;
}

function rotateRight<Value extends KeyRange>(node: Node<Value>, left: Node<Value>): Node<Value> {
  node.left = left.right;
  left.right = update(node);
  return update(left);
}

function rotateLeft<Value extends KeyRange>(node: Node<Value>, right: Node<Value>): Node<Value> {
  node.right = right.left;
  right.left = update(node);
  return update(right);
}

function insertNode<Value extends KeyRange>(
  root: Node<Value> | undefined,
  node: Node<Value>,
): Node<Value> {
  if (root === undefined) return node;
  if (compareRanges(node.value, root.value) < 0) {
    root.left = insertNode(root.left, node);
    return root.left.priority > root.priority ? rotateRight(root, root.left) : update(root);
  }
  root.right = insertNode(root.right, node);
  return root.right.priority > root.priority ? rotateLeft(root, root.right) : update(root);
}

function removeNode<Value extends KeyRange>(
  root: Node<Value> | undefined,
  value: Value,
): Node<Value> | undefined {
  if (root === undefined) return undefined;
  if (root.value === value) return joinNodes(root.left, root.right);
  if (compareRanges(value, root.value) < 0) root.left = removeNode(root.left, value);
  else root.right = removeNode(root.right, value);
  return update(root);
}

function joinNodes<Value extends KeyRange>(
  left: Node<Value> | undefined,
  right: Node<Value> | undefined,
): Node<Value> | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (left.priority > right.priority) {
    left.right = joinNodes(left.right, right);
    return update(left);
  }
  right.left = joinNodes(left, right.left);
  return update(right);
}

function stabNode<Value extends KeyRange>(
  node: Node<Value> | undefined,
  key: KeyText,
  visit: (value: Value) => void,
): void {
  if (node === undefined) return;
  if (node.maxEnd !== undefined && node.maxEnd <= key) return;
  stabNode(node.left, key, visit);
  if (node.value.start > key) return;
  if (node.value.end === undefined || key < node.value.end) visit(node.value);
  stabNode(node.right, key, visit);
}
