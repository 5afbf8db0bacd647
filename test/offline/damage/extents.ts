import {
  decodeLmdbBranch,
  decodeLmdbLeaf,
  decodeLmdbMeta,
  LMDB_PAGE_BYTES,
  type LmdbTree,
  type OverflowValue,
  PAGE_HEADER_BYTES,
} from '../../../src/storage/backend/lmdb-page.js';
import { decodeBranch } from '../../../src/storage/bbolt/branch.js';
import {
  decodeBucket,
  decodeLeaf,
  elementsOf,
  type StoredElement,
} from '../../../src/storage/bbolt/leaf.js';
import { type BboltMeta, decodeMetaPage } from '../../../src/storage/bbolt/meta.js';
import {
  PAGE_HEADER_BYTES as BBOLT_HEADER_BYTES,
  decodePageHeader,
  ELEMENT_BYTES,
  PAGE_BYTES,
  PageKind,
} from '../../../src/storage/bbolt/page.js';

/** Of the value of a bucket that lies within it. */
const INLINE_LEAF_AT = 16;

/** Bytes of a file from `start` to before `end`. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the keys and values of a sound bbolt file are, from both of its meta pages: the bytes of
 * which the format has no checksum.
 */
export function bboltContent(bytes: Buffer): Extent[] {
  const extents: Extent[] = [];
  for (const page of [0, 1]) {
    const meta = decodeMetaPage(bytes, page * PAGE_BYTES);
    if (typeof meta !== 'string') collectBbolt(bytes, meta, extents);
  }
  return extents;
}

function collectBbolt(bytes: Buffer, meta: BboltMeta, extents: Extent[]): void {
  const leaves = function* (id: number): Generator<[StoredElement[], number]> {
    const at = id * PAGE_BYTES;
    const { flags, overflow } = decodePageHeader(bytes, at);
    const page = bytes.subarray(at, at + (overflow + 1) * PAGE_BYTES);
    const site = { file: '', offset: at };
    if (flags === PageKind.leaf) yield [decodeLeaf(page, site), at];
    else for (const child of decodeBranch(page, site)) yield* leaves(child.page);
  };
  const add = (elements: readonly StoredElement[], leafAt: number): void => {
    // What follows the last element is free, so that nothing tells its lengths.
    const last = leafAt + BBOLT_HEADER_BYTES + (elements.length - 1) * ELEMENT_BYTES;
    if (elements.length > 0) extents.push({ start: last + 8, end: last + ELEMENT_BYTES });
    for (const { offset, key, value } of elements) {
      extents.push({ start: offset, end: offset + key.length + value.length });
    }
  };
  for (const [buckets] of leaves(meta.root)) {
    for (const { key, value, offset } of buckets) {
      // The name of a bucket is content, what follows it is not.
      extents.push({ start: offset, end: offset + key.length });
      const site = { file: '', offset: offset + key.length };
      const root = decodeBucket(value, site);
      if ('inline' in root) add(elementsOf(root.inline), site.offset + INLINE_LEAF_AT);
      else for (const [elements, at] of leaves(root.page)) add(elements, at);
    }
  }
}

/** As {@link bboltContent}, of an LMDB file. */
export function lmdbContent(bytes: Buffer): Extent[] {
  const extents: Extent[] = [];
  const pageAt = (number: number) => ({
    file: '',
    number,
    bytes: bytes.subarray(number * LMDB_PAGE_BYTES, (number + 1) * LMDB_PAGE_BYTES),
  });
  const walk = (number: number, level: number): void => {
    const page = pageAt(number);
    if (level > 1) {
      for (const { child } of decodeLmdbBranch(page)) walk(child, level - 1);
      return;
    }
    for (const { offset, key, kind, value } of decodeLmdbLeaf(page)) {
      const start = number * LMDB_PAGE_BYTES + offset + 8;
      const end = start + key.length;
      if (kind === 'table') {
        extents.push({ start, end });
        walkTree(value as LmdbTree);
      } else if (kind === 'overflow') {
        const { first, bytes: length } = value as OverflowValue;
        const at = first * LMDB_PAGE_BYTES + PAGE_HEADER_BYTES;
        extents.push({ start, end }, { start: at, end: at + length });
      } else extents.push({ start, end: end + (value as Buffer).length });
    }
  };
  const walkTree = ({ root, depth }: LmdbTree): void => {
    if (root !== undefined) walk(root, depth);
  };
  const metas = [0, 1].map((number) => decodeLmdbMeta(pageAt(number)));
  const newest = metas.reduce((a, b) => (b.transaction > a.transaction ? b : a));
  walkTree(newest.tables);
  return extents;
}

/** The sound file with nothing changed but those extents, which are as in the damaged one. */
export function withContentOf(
  sound: Buffer,
  damaged: Buffer,
  extents: readonly Extent[],
): Buffer | undefined {
  let copy: Buffer | undefined;
  for (const { start, end } of extents) {
    if (end > damaged.length) continue;
    if (sound.compare(damaged, start, end, start, end) === 0) continue;
    copy ??= Buffer.from(sound);
    damaged.copy(copy, start, start, end);
  }
  return copy;
}
