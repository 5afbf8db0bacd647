import { BUCKET_FLAG, BUCKET_HEADER_BYTES, type LeafElement } from './leaf.js';
import { ELEMENT_BYTES, encodePageHeader, PAGE_HEADER_BYTES, PageKind } from './page.js';

/** Most leaves have no more; beyond, the room grows. */
const USUAL_DATA_BYTES = 4096;
const NO_BYTES = Buffer.alloc(0);

/** A leaf that still takes elements, which must come in the order of their keys. */
export interface OpenLeaf {
  readonly count: number;
  /** Bytes that the page has by now. */
  readonly bytes: number;
  /** A copy of the first key. */
  firstKey(): Uint8Array;
  add(element: LeafElement): void;
  /** A pair where it lies: its key, and its value right behind. */
  addPlaced(source: Uint8Array, keyAt: number, valueAt: number, end: number): void;
  /** The value of a bucket that has these elements and no page (reference: formats 3.4). */
  inlineBucket(): Buffer;
  /** Empties it, so that it serves for the next leaf. */
  clear(): void;
}

/** Knows how large the leaf is, but nothing of what is in it save the first key. */
export class CountedLeaf implements OpenLeaf {
  count = 0;
  bytes = PAGE_HEADER_BYTES;
  #firstKey: Uint8Array = NO_BYTES;

  firstKey(): Uint8Array {
    return this.#firstKey;
  }

  add({ key, value }: LeafElement): void {
    if (this.count === 0) this.#firstKey = Uint8Array.from(key);
    this.count++;
    this.bytes += ELEMENT_BYTES + key.length + value.length;
  }

  addPlaced(source: Uint8Array, keyAt: number, valueAt: number, end: number): void {
    // Trap: slice() of a Buffer is a view.
    if (this.count === 0) this.#firstKey = Uint8Array.from(source.subarray(keyAt, valueAt));
    this.count++;
    this.bytes += ELEMENT_BYTES + end - keyAt;
  }

  inlineBucket(): Buffer {
    return Buffer.alloc(BUCKET_HEADER_BYTES + this.bytes);
  }

  clear(): void {
    this.count = 0;
    this.bytes = PAGE_HEADER_BYTES;
  }
}

/** Holds copies of its elements: nobody needs to keep what they were read from. */
export class PackedLeaf implements OpenLeaf {
  count = 0;
  /** Keys and values, back to back. */
  #data = Buffer.allocUnsafeSlow(USUAL_DATA_BYTES);
  #dataBytes = 0;
  /** For each element its flags, and how long its key and its value are. */
  readonly #elements: number[] = [];

  get bytes(): number {
    return PAGE_HEADER_BYTES + this.count * ELEMENT_BYTES + this.#dataBytes;
  }

  firstKey(): Uint8Array {
    return Uint8Array.from(this.#data.subarray(0, this.#elements[1]));
  }

  add({ key, value, isBucket }: LeafElement): void {
    const at = this.#take(isBucket ? BUCKET_FLAG : 0, key.length, value.length);
    this.#data.set(key, at);
    this.#data.set(value, at + key.length);
  }

  addPlaced(source: Uint8Array, keyAt: number, valueAt: number, end: number): void {
    const at = this.#take(0, valueAt - keyAt, end - valueAt);
    this.#data.set(source.subarray(keyAt, end), at);
  }

  /** Writes the leaf at `at`; its bytes must be zero there. Data follow the elements in their order. */
  encode(
    target: Buffer,
    at: number,
    page: { readonly id: number; readonly overflow: number },
  ): void {
    const { count } = this;
    encodePageHeader(target, at, { ...page, flags: PageKind.leaf, count });
    let element = at + PAGE_HEADER_BYTES;
    let data = element + count * ELEMENT_BYTES;
    target.set(this.#data.subarray(0, this.#dataBytes), data);
    for (let index = 0; index < 3 * count; index += 3) {
      const keyBytes = this.#elements[index + 1] as number;
      const valueBytes = this.#elements[index + 2] as number;
      target.writeUInt32LE(this.#elements[index] as number, element);
      // Trap: the position counts from the element, not from the page.
      target.writeUInt32LE(data - element, element + 4);
      target.writeUInt32LE(keyBytes, element + 8);
      target.writeUInt32LE(valueBytes, element + 12);
      data += keyBytes + valueBytes;
      element += ELEMENT_BYTES;
    }
  }

  inlineBucket(): Buffer {
    const value = Buffer.alloc(BUCKET_HEADER_BYTES + this.bytes);
    this.encode(value, BUCKET_HEADER_BYTES, { id: 0, overflow: 0 });
    return value;
  }

  clear(): void {
    this.count = 0;
    this.#dataBytes = 0;
    this.#elements.length = 0;
    // One value of megabytes is no reason to keep as much for the rest.
    if (this.#data.length > USUAL_DATA_BYTES) {
      this.#data = Buffer.allocUnsafeSlow(USUAL_DATA_BYTES);
    }
  }

  /** Makes room for an element; the result is where its data go. */
  #take(flags: number, keyBytes: number, valueBytes: number): number {
    const at = this.#dataBytes;
    this.#dataBytes += keyBytes + valueBytes;
    if (this.#dataBytes > this.#data.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#dataBytes, 2 * this.#data.length));
      this.#data.copy(grown, 0, 0, at);
      this.#data = grown;
    }
    this.#elements.push(flags, keyBytes, valueBytes);
    this.count++;
    return at;
  }
}
