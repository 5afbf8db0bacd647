import type { KeyText } from '../../base/bytes.js';
import { lowerBound } from '../../base/sorted-keys.js';

/** Rows of a full chunk. Small enough that copying one for a shared write costs a microsecond. */
const CHUNK_ROWS = 256;

interface Chunk<V> {
  /** Whoever may write to the chunk in place; everybody else copies it first. */
  owner: object;
  readonly keys: KeyText[];
  readonly values: V[];
}

/**
 * A sorted map from key to value in chunks of arrays. Appending at the end is cheap, which is how
 * revisions arrive. A clone shares the chunks and either side copies a chunk before it writes to
 * it, so a clone of a million rows copies a few thousand pointers.
 */
export class SortedRows<V> {
  #chunks: Chunk<V>[];
  #owner: object = {};
  #size: number;
  #changes = 0;

  constructor() {
    this.#chunks = [];
    this.#size = 0;
  }

  get size(): number {
    return this.#size;
  }

  /** Grows with each change of the set of keys or of a chunk; cursors seek anew when it did. */
  get changes(): number {
    return this.#changes;
  }

  /** An independent map of the same rows. */
  clone(): SortedRows<V> {
    const copy = new SortedRows<V>();
    copy.#chunks = this.#chunks.slice();
    copy.#size = this.#size;
    this.#owner = {};
    return copy;
  }

  get(key: KeyText): V | undefined {
    const chunk = this.#chunks[this.#chunkIndex(key)];
    if (chunk === undefined) {
      return undefined;
    }
    const index = lowerBound(chunk.keys, key);
    return chunk.keys[index] === key ? chunk.values[index] : undefined;
  }

  /** Returns the value the key had before, if any. */
  set(key: KeyText, value: V): V | undefined {
    const position = this.#chunkIndex(key);
    if (position < 0) {
      this.#insertFirst(key, value);
      return undefined;
    }
    const shared = this.#chunks[position] as Chunk<V>;
    const isLast = position === this.#chunks.length - 1;
    const count = shared.keys.length;
    if (isLast && (shared.keys[count - 1] as KeyText) < key) {
      this.#append(position, key, value);
      return undefined;
    }
    const index = lowerBound(shared.keys, key);
    const chunk = this.#writable(position);
    if (chunk.keys[index] === key) {
      const before = chunk.values[index];
      chunk.values[index] = value;
      return before;
    }
    chunk.keys.splice(index, 0, key);
    chunk.values.splice(index, 0, value);
    this.#size++;
    this.#changes++;
    if (chunk.keys.length > CHUNK_ROWS) {
      this.#split(position, chunk);
    }
    return undefined;
  }

  /** Returns the value the key had, if any. */
  delete(key: KeyText): V | undefined {
    const position = this.#chunkIndex(key);
    const shared = this.#chunks[position];
    if (shared === undefined) {
      return undefined;
    }
    const index = lowerBound(shared.keys, key);
    if (shared.keys[index] !== key) {
      return undefined;
    }
    const chunk = this.#writable(position);
    const before = chunk.values[index];
    chunk.keys.splice(index, 1);
    chunk.values.splice(index, 1);
    this.#size--;
    this.#changes++;
    if (chunk.keys.length === 0) {
      this.#chunks.splice(position, 1);
    } else {
      this.#mergeWithNext(position, chunk);
    }
    return before;
  }

  /** A cursor at the first row with a key >= `start`. */
  cursor(start: KeyText): RowCursor<V> {
    return new RowCursor(this, start);
  }

  /** The place of the first row with a key >= `key`; for cursors. */
  locate(key: KeyText): { chunk: number; index: number } {
    const position = Math.max(this.#chunkIndex(key), 0);
    const chunk = this.#chunks[position];
    if (chunk === undefined) {
      return { chunk: position, index: 0 };
    }
    const index = lowerBound(chunk.keys, key);
    return index < chunk.keys.length
      ? { chunk: position, index }
      : { chunk: position + 1, index: 0 };
  }

  /** The chunk at a place that {@link locate} gave; for cursors. */
  chunkAt(
    position: number,
  ): { readonly keys: readonly KeyText[]; readonly values: readonly V[] } | undefined {
    return this.#chunks[position];
  }

  /** Index of the last chunk whose first key is <= `key`; -1 if there is none. */
  #chunkIndex(key: KeyText): number {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    // Most writes go to the end.
    if (high > 0 && ((chunks[high - 1] as Chunk<V>).keys[0] as KeyText) <= key) {
      return high - 1;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((chunks[middle] as Chunk<V>).keys[0] as KeyText) <= key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }

  #insertFirst(key: KeyText, value: V): void {
    this.#size++;
    this.#changes++;
    if (this.#chunks.length === 0) {
      this.#chunks.push({ owner: this.#owner, keys: [key], values: [value] });
      return;
    }
    const chunk = this.#writable(0);
    chunk.keys.unshift(key);
    chunk.values.unshift(value);
    if (chunk.keys.length > CHUNK_ROWS) {
      this.#split(0, chunk);
    }
  }

  /** Adds a row behind all others; a full last chunk stays full, as no row will come between. */
  #append(position: number, key: KeyText, value: V): void {
    this.#size++;
    this.#changes++;
    if ((this.#chunks[position] as Chunk<V>).keys.length >= CHUNK_ROWS) {
      this.#chunks.push({ owner: this.#owner, keys: [key], values: [value] });
      return;
    }
    const chunk = this.#writable(position);
    chunk.keys.push(key);
    chunk.values.push(value);
  }

  #writable(position: number): Chunk<V> {
    const chunk = this.#chunks[position] as Chunk<V>;
    if (chunk.owner === this.#owner) {
      return chunk;
    }
    const copy = { owner: this.#owner, keys: chunk.keys.slice(), values: chunk.values.slice() };
    this.#chunks[position] = copy;
    this.#changes++;
    return copy;
  }

  #split(position: number, chunk: Chunk<V>): void {
    const middle = chunk.keys.length >>> 1;
    this.#chunks.splice(position + 1, 0, {
      owner: this.#owner,
      keys: chunk.keys.splice(middle),
      values: chunk.values.splice(middle),
    });
  }

  #mergeWithNext(position: number, chunk: Chunk<V>): void {
    const next = this.#chunks[position + 1];
    if (next === undefined || chunk.keys.length + next.keys.length > CHUNK_ROWS >>> 1) {
      return;
    }
    chunk.keys.push(...next.keys);
    chunk.values.push(...next.values);
    this.#chunks.splice(position + 1, 1);
  }
}

/**
 * Walks a {@link SortedRows} upwards. The map may change meanwhile: the cursor goes on behind the
 * row it stands on, and rows written ahead of it are seen.
 */
export class RowCursor<V> {
  /** Key of the current row; undefined behind the last one. */
  key: KeyText | undefined;
  /** Value of the current row; meaningful only while `key` is defined. */
  value: V | undefined;
  readonly #rows: SortedRows<V>;
  #seenChanges: number;
  #chunk = 0;
  #index = 0;

  constructor(rows: SortedRows<V>, start: KeyText) {
    this.#rows = rows;
    this.#seenChanges = rows.changes;
    this.#seek(start);
    this.#read();
  }

  /** Steps to the next row. */
  advance(): void {
    const from = this.key;
    if (from === undefined) {
      return;
    }
    if (this.#seenChanges === this.#rows.changes) {
      this.#index++;
    } else {
      this.#seek(from);
      const found = this.#rows.chunkAt(this.#chunk)?.keys[this.#index];
      if (found === from) {
        this.#index++;
      }
    }
    this.#read();
  }

  #seek(key: KeyText): void {
    const place = this.#rows.locate(key);
    this.#chunk = place.chunk;
    this.#index = place.index;
    this.#seenChanges = this.#rows.changes;
  }

  #read(): void {
    let chunk = this.#rows.chunkAt(this.#chunk);
    if (chunk !== undefined && this.#index >= chunk.keys.length) {
      this.#chunk++;
      this.#index = 0;
      chunk = this.#rows.chunkAt(this.#chunk);
    }
    this.key = chunk?.keys[this.#index];
    this.value = chunk?.values[this.#index];
  }
}
