import { BboltError, type BboltSite } from './bbolt-error.js';
import {
  decodePageHeader,
  ELEMENT_BYTES,
  encodePageHeader,
  PAGE_HEADER_BYTES,
  PageKind,
  readU64,
  writeU64,
} from './page.js';

/** A child of a branch: the first key below it, and its page. */
export interface BranchElement {
  readonly key: Uint8Array;
  readonly page: number;
}

/** A child as it was read. */
export interface StoredChild extends BranchElement {
  readonly key: Buffer;
}

/** Bytes that a branch element takes in its page. */
export function branchElementBytes({ key }: BranchElement): number {
  return ELEMENT_BYTES + key.length;
}

/** Writes a branch at `at`; its bytes must be zero there. */
export function encodeBranch(
  target: Buffer,
  at: number,
  page: { readonly id: number; readonly overflow: number },
  children: readonly BranchElement[],
): void {
  encodePageHeader(target, at, { ...page, flags: PageKind.branch, count: children.length });
  let element = at + PAGE_HEADER_BYTES;
  let data = element + children.length * ELEMENT_BYTES;
  for (const child of children) {
    target.writeUInt32LE(data - element, element);
    target.writeUInt32LE(child.key.length, element + 4);
    writeU64(target, element + 8, child.page);
    target.set(child.key, data);
    data += child.key.length;
    element += ELEMENT_BYTES;
  }
}

/**
 * The children of a branch, in strictly ascending order of their keys; at least one. Their keys lie
 * one behind the other, as in a leaf.
 * @param page all bytes of the page and of those that belong to it
 * @throws BboltError
 */
export function decodeBranch(page: Buffer, site: BboltSite): StoredChild[] {
  const { count } = decodePageHeader(page, 0);
  const dataAt = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
  if (count === 0) throw new BboltError(site, 'a branch has no children');
  if (dataAt > page.length) throw new BboltError(site, `a branch of ${count} elements is cut off`);
  const children: StoredChild[] = [];
  let before: Buffer | undefined;
  let dataEnd = dataAt;
  for (let index = 0; index < count; index++) {
    const at = PAGE_HEADER_BYTES + index * ELEMENT_BYTES;
    const elementSite = { file: site.file, offset: site.offset + at };
    const keyAt = at + page.readUInt32LE(at);
    const end = keyAt + page.readUInt32LE(at + 4);
    if (keyAt < dataAt || end > page.length) {
      throw new BboltError(elementSite, `branch element ${index} points outside of its page`);
    }
    if (keyAt !== dataEnd) {
      const reason = `branch element ${index} does not follow the one before it`;
      throw new BboltError(elementSite, reason);
    }
    dataEnd = end;
    const key = page.subarray(keyAt, end);
    if (before !== undefined && before.compare(key) >= 0) {
      throw new BboltError(elementSite, `branch element ${index} is out of order`);
    }
    children.push({ key, page: readU64(page, at + 8) });
    before = key;
  }
  return children;
}
