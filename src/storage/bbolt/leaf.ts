import { BboltError, type BboltSite } from './bbolt-error.js';
import { decodePageHeader, ELEMENT_BYTES, PAGE_HEADER_BYTES, PageKind, readU64 } from './page.js';

/** Flags of an element that is a bucket; others have none. */
export const BUCKET_FLAG = 1;
/** So many bytes of two keys are compared faster here than by a call into native code. */
const LOOKED_AT_BYTES = 32;
/** Bytes of a bucket's value before its inline page. */
export const BUCKET_HEADER_BYTES = 16;

/** A pair, or a bucket: then `value` is the bucket's header, and its page if that is inline. */
export interface LeafElement {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly isBucket: boolean;
}

/** An element as it was read. */
export interface StoredElement extends LeafElement {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Where its key is, bytes from the start of the file. */
  readonly offset: number;
}

/** Where the elements of a leaf lie: keys and values are back to back. */
export interface LeafPlaces {
  /** The page with those that belong to it. */
  readonly bytes: Buffer;
  readonly site: BboltSite;
  readonly count: number;
  /** For each element where its key and its value begin, by turns; then where the last one ends. */
  readonly places: readonly number[];
  /** The first element that is a bucket, -1 if none is. */
  readonly firstBucket: number;
}

/**
 * The elements of a leaf, views of `page`, in strictly ascending order of their keys.
 * @param page all bytes of the page and of those that belong to it
 * @throws BboltError
 */
export function decodeLeaf(page: Buffer, site: BboltSite): StoredElement[] {
  return elementsOf(locateLeaf(page, site));
}

/** The elements themselves, views of the page. */
export function elementsOf({ bytes, site, count, places }: LeafPlaces): StoredElement[] {
  const elements: StoredElement[] = [];
  for (let index = 0; index < count; index++) {
    const keyAt = places[2 * index] as number;
    const valueAt = places[2 * index + 1] as number;
    const end = places[2 * index + 2] as number;
    const flags = bytes.readUInt32LE(PAGE_HEADER_BYTES + index * ELEMENT_BYTES);
    elements.push({
      key: bytes.subarray(keyAt, valueAt),
      value: bytes.subarray(valueAt, end),
      isBucket: flags === BUCKET_FLAG,
      offset: site.offset + keyAt,
    });
  }
  return elements;
}

/**
 * Checks a leaf and says where its elements are, without an object for each. They lie one behind the
 * other, as every bbolt writes them: a wrong count, position or length is told by that. Their keys
 * ascend strictly.
 * @param page all bytes of the page and of those that belong to it
 * @throws BboltError
 */
export function locateLeaf(page: Buffer, site: BboltSite): LeafPlaces {
  const { count } = decodePageHeader(page, 0);
  const dataAt = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
  if (dataAt > page.length) throw new BboltError(site, `a leaf of ${count} elements is cut off`);
  const places: number[] = [];
  let firstBucket = -1;
  let keyBeforeAt = 0;
  let keyBeforeEnd = 0;
  let dataEnd = dataAt;
  for (let index = 0; index < count; index++) {
    const at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    const flags = page.readUInt32LE(at);
    if (flags > BUCKET_FLAG)
      throw elementError(site, at, `unknown flags ${flags} of a leaf element`);
    const keyAt = at + page.readUInt32LE(at + 4);
    const valueAt = keyAt + page.readUInt32LE(at + 8);
    const end = valueAt + page.readUInt32LE(at + 12);
    if (keyAt < dataAt || end > page.length) {
      throw elementError(site, at, `leaf element ${index} points outside of its page`);
    }
    if (keyAt !== dataEnd) {
      throw elementError(site, at, `leaf element ${index} does not follow the one before it`);
    }
    dataEnd = end;
    if (index > 0 && !ascends(page, keyBeforeAt, keyBeforeEnd, keyAt, valueAt)) {
      throw elementError(site, at, `leaf element ${index} is out of order`);
    }
    if (flags === BUCKET_FLAG && firstBucket === -1) firstBucket = index;
    places.push(keyAt, valueAt);
    keyBeforeAt = keyAt;
    keyBeforeEnd = valueAt;
  }
  places.push(dataEnd);
  return { bytes: page, site, count, places, firstBucket };
}

/** Whether the first of two keys of a page is below the second. */
function ascends(page: Buffer, a: number, aEnd: number, b: number, bEnd: number): boolean {
  const shared = Math.min(aEnd - a, bEnd - b);
  const compared = Math.min(shared, LOOKED_AT_BYTES);
  for (let index = 0; index < compared; index++) {
    const difference = (page[a + index] as number) - (page[b + index] as number);
    if (difference !== 0) return difference < 0;
  }
  if (shared === compared) return aEnd - a < bEnd - b;
  return page.compare(page, b + compared, bEnd, a + compared, aEnd) < 0;
}

/** The value of a bucket whose tree begins at page `root`. */
export function encodeBucket(root: number): Buffer {
  const value = Buffer.alloc(BUCKET_HEADER_BYTES);
  value.writeBigUInt64LE(BigInt(root), 0);
  return value;
}

/** What the value of a bucket says: the page of its tree, or the leaf that is in the value. */
export type BucketRoot = { readonly page: number } | { readonly inline: LeafPlaces };

/**
 * @param site of the value
 * @throws BboltError
 */
export function decodeBucket(value: Buffer, site: BboltSite): BucketRoot {
  if (value.length < BUCKET_HEADER_BYTES) throw new BboltError(site, 'a bucket header is cut off');
  const page = readU64(value, 0);
  if (page !== 0) return { page };
  const inlineSite = { file: site.file, offset: site.offset + BUCKET_HEADER_BYTES };
  if (value.length < BUCKET_HEADER_BYTES + PAGE_HEADER_BYTES) {
    throw new BboltError(inlineSite, 'an inline bucket is cut off');
  }
  const leaf = value.subarray(BUCKET_HEADER_BYTES);
  if (decodePageHeader(leaf, 0).flags !== PageKind.leaf) {
    throw new BboltError(inlineSite, 'an inline bucket is no leaf');
  }
  return { inline: locateLeaf(leaf, inlineSite) };
}

function elementError({ file, offset }: BboltSite, at: number, reason: string): BboltError {
  return new BboltError({ file, offset: offset + at }, reason);
}
