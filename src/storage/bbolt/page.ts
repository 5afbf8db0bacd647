/** Bytes of the header of every page, and of every element of a leaf or branch. */
export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
/** Size of the pages that we write, whatever the machine's: it keeps files small. */
export const PAGE_BYTES = 4096;
/** Elements that one page can have, at most (reference: formats 3.3). */
export const MAX_ELEMENTS = 65_534;
/** The count of a freelist of more pages than fit the field: then its first id is the true one. */
export const HUGE_COUNT = 0xffff;

/** Kinds of pages, as the header's flags say it: exactly one (reference: formats 3.1). */
export const PageKind = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;

export interface PageHeader {
  readonly id: number;
  /** One of {@link PageKind} in a sound file. */
  readonly flags: number;
  readonly count: number;
  /** Further pages that belong to this one. */
  readonly overflow: number;
}

export function encodePageHeader(target: Buffer, at: number, header: PageHeader): void {
  writeU64(target, at, header.id);
  target.writeUInt16LE(header.flags, at + 8);
  target.writeUInt16LE(header.count, at + 10);
  target.writeUInt32LE(header.overflow, at + 12);
}

/** Reads a header of which all bytes must be there. */
export function decodePageHeader(source: Buffer, at: number): PageHeader {
  return {
    id: readU64(source, at),
    flags: source.readUInt16LE(at + 8),
    count: source.readUInt16LE(at + 10),
    overflow: source.readUInt32LE(at + 12),
  };
}

/**
 * A page id or a count. What is above 2^53 loses digits, but stays too large for any file, so that
 * the check against the file's bounds catches it.
 */
export function readU64(source: Buffer, at: number): number {
  return source.readUInt32LE(at) + source.readUInt32LE(at + 4) * 2 ** 32;
}

export function writeU64(target: Buffer, at: number, value: number): void {
  target.writeUInt32LE(value % 2 ** 32, at);
  target.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}
