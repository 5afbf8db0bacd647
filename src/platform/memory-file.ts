import type { Random } from './random.js';

/** Content is kept, and space counted, in pages of this many bytes. */
export const PAGE_SIZE = 4096;
/** What a disk writes whole or not at all. */
const SECTOR_SIZE = 512;

/**
 * What a power loss does to what was never synced: `keep` loses nothing (a killed process), `lose`
 * loses it all, `tear` decides by sector and `garble` also leaves noise in some sectors.
 */
export type CrashMode = 'keep' | 'lose' | 'tear' | 'garble';

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly length: number };

type Pages = Map<number, Buffer>;

/** A file of the memory file system: sparse pages, and what changed since the last sync. */
export class MemoryFile {
  readonly kind = 'file';
  readonly mode: number;
  #pages: Pages = new Map();
  #size = 0;
  #syncedSize = 0;
  /** Pages as they were at the last sync, for those changed since; undefined was absent. */
  readonly #beforeImages = new Map<number, Buffer | undefined>();
  #changes: Change[] = [];
  readonly #tracked: boolean;

  constructor(mode: number, tracked: boolean) {
    this.mode = mode;
    this.#tracked = tracked;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of memory that the content takes. */
  get allocated(): number {
    return this.#pages.size * PAGE_SIZE;
  }

  read(position: number, length: number): Buffer {
    const end = Math.min(position + length, this.#size);
    return position >= end ? Buffer.alloc(0) : copyRange(this.#pages, position, end);
  }

  /** Bytes that a write of `[position, end)` would add to {@link allocated}. */
  growth(position: number, end: number): number {
    let pages = 0;
    for (let page = Math.floor(position / PAGE_SIZE); page * PAGE_SIZE < end; page++) {
      if (!this.#pages.has(page)) pages++;
    }
    return pages * PAGE_SIZE;
  }

  write(position: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#tracked) {
      this.#changes.push({ kind: 'write', position, bytes: Buffer.from(bytes) });
      this.#saveBeforeImages(position, position + bytes.length);
    }
    storeRange(this.#pages, position, bytes);
    this.#size = Math.max(this.#size, position + bytes.length);
  }

  truncate(length: number): void {
    if (this.#tracked) {
      this.#changes.push({ kind: 'truncate', length });
      const first = Math.floor(length / PAGE_SIZE);
      for (const page of this.#pages.keys()) if (page >= first) this.#saveBeforeImage(page);
    }
    cutPages(this.#pages, length);
    this.#size = length;
  }

  sync(): void {
    this.#changes = [];
    this.#beforeImages.clear();
    this.#syncedSize = this.#size;
  }

  /** The file as found after a power loss; its content then counts as synced. */
  afterCrash(random: Random, mode: CrashMode): MemoryFile {
    const file = new MemoryFile(this.mode, this.#tracked);
    const keepsAll = mode === 'keep' || !this.#tracked;
    const survivor = keepsAll ? this.#current() : this.#surviving(random, mode);
    file.#pages = survivor.pages;
    file.#size = survivor.size;
    file.#syncedSize = survivor.size;
    return file;
  }

  #current(): { pages: Pages; size: number } {
    const pages: Pages = new Map();
    for (const [page, bytes] of this.#pages) pages.set(page, Buffer.from(bytes));
    return { pages, size: this.#size };
  }

  #surviving(random: Random, mode: CrashMode): { pages: Pages; size: number } {
    const { pages } = this.#current();
    for (const [page, before] of this.#beforeImages) {
      if (before === undefined) pages.delete(page);
      else pages.set(page, Buffer.from(before));
    }
    if (mode === 'lose') return { pages, size: this.#syncedSize };
    const size = this.#sizeAfter(random.integer(this.#changes.length + 1));
    for (const page of this.#beforeImages.keys()) {
      for (let at = page * PAGE_SIZE; at < (page + 1) * PAGE_SIZE; at += SECTOR_SIZE) {
        this.#settleSector(pages, at, random, mode);
      }
    }
    cutPages(pages, size);
    return { pages, size };
  }

  /**
   * A sector holds the state after some number of the changes that touched it: the page cache
   * wrote it out then, and later changes were lost.
   */
  #settleSector(pages: Pages, start: number, random: Random, mode: CrashMode): void {
    const end = start + SECTOR_SIZE;
    const touching = this.#changes.filter((change) =>
      change.kind === 'write'
        ? change.position < end && change.position + change.bytes.length > start
        : change.length < end,
    );
    if (touching.length === 0) return;
    const kept = touching.slice(0, random.integer(touching.length + 1));
    const sector = copyRange(pages, start, end);
    for (const change of kept) applyToSector(change, sector, start);
    if (mode === 'garble' && random.integer(4) === 0) {
      for (const change of touching) garbleSector(change, sector, start, random);
    }
    storeRange(pages, start, sector);
  }

  #sizeAfter(count: number): number {
    let size = this.#syncedSize;
    for (const change of this.#changes.slice(0, count)) {
      if (change.kind === 'truncate') size = change.length;
      else size = Math.max(size, change.position + change.bytes.length);
    }
    return size;
  }

  #saveBeforeImages(start: number, end: number): void {
    for (let page = Math.floor(start / PAGE_SIZE); page * PAGE_SIZE < end; page++) {
      this.#saveBeforeImage(page);
    }
  }

  #saveBeforeImage(page: number): void {
    if (this.#beforeImages.has(page)) return;
    const bytes = this.#pages.get(page);
    this.#beforeImages.set(page, bytes === undefined ? undefined : Buffer.from(bytes));
  }
}

function copyRange(pages: Pages, start: number, end: number): Buffer {
  const result = Buffer.alloc(end - start);
  for (let at = start; at < end; ) {
    const page = Math.floor(at / PAGE_SIZE);
    const offset = at - page * PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - offset, end - at);
    pages.get(page)?.copy(result, at - start, offset, offset + count);
    at += count;
  }
  return result;
}

function storeRange(pages: Pages, start: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    const page = Math.floor((start + done) / PAGE_SIZE);
    const offset = start + done - page * PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - offset, bytes.length - done);
    let target = pages.get(page);
    if (target === undefined) {
      target = Buffer.alloc(PAGE_SIZE);
      pages.set(page, target);
    }
    target.set(bytes.subarray(done, done + count), offset);
    done += count;
  }
}

/** Drops what lies at or after `length`, so that a later extension reads as zeros. */
function cutPages(pages: Pages, length: number): void {
  for (const [page, bytes] of pages) {
    const start = page * PAGE_SIZE;
    if (start >= length) pages.delete(page);
    else if (start + PAGE_SIZE > length) bytes.fill(0, length - start);
  }
}

function applyToSector(change: Change, sector: Buffer, start: number): void {
  if (change.kind === 'truncate') {
    sector.fill(0, Math.max(0, change.length - start));
    return;
  }
  const from = Math.max(start, change.position);
  const to = Math.min(start + sector.length, change.position + change.bytes.length);
  sector.set(change.bytes.subarray(from - change.position, to - change.position), from - start);
}

/** Noise over the bytes that `change` wrote into the sector; what was durable before is spared. */
function garbleSector(change: Change, sector: Buffer, start: number, random: Random): void {
  if (change.kind === 'truncate') return;
  const from = Math.max(start, change.position);
  const to = Math.min(start + sector.length, change.position + change.bytes.length);
  sector.set(random.bytes(to - from), from - start);
}
