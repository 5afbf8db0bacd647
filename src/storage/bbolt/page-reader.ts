import type { FileHandle } from '../../platform/fs.js';
import { FileWindows } from '../file-windows.js';
import { BboltError, type BboltSite } from './bbolt-error.js';
import { type BboltMeta, decodeMetaPage, META_PAGE_BYTES, secondMetaOffsets } from './meta.js';
import {
  decodePageHeader,
  ELEMENT_BYTES,
  HUGE_COUNT,
  PAGE_BYTES,
  PAGE_HEADER_BYTES,
  type PageHeader,
  PageKind,
  readU64,
} from './page.js';

/** The file is read in pieces of so many bytes, because neighbours are mostly read together. */
const WINDOW_BYTES = 256 * 1024;
/** Longest page with its overflow that is read, bytes: what etcd can store is far below. */
const MAX_PAGE_GROUP_BYTES = 1024 * 1024 * 1024;

/** A page with those that belong to it. */
export interface StoredPage {
  readonly header: PageHeader;
  /** Whole pages, as far as what is in them reaches: at least the first. */
  readonly bytes: Buffer;
  readonly site: BboltSite;
}

/** Reads pages of a bbolt file and keeps the last ones read, in a bounded cache. */
export class PageReader {
  readonly path: string;
  readonly meta: BboltMeta;
  readonly #file: FileHandle;
  readonly #windows: FileWindows;

  private constructor(file: FileHandle, meta: BboltMeta) {
    this.path = file.path;
    this.meta = meta;
    this.#file = file;
    this.#windows = new FileWindows(file, Math.max(WINDOW_BYTES, meta.pageBytes), {
      readsAhead: true,
    });
  }

  /** @throws BboltError if neither meta page is sound, or the file is shorter than they say */
  static async open(file: FileHandle): Promise<PageReader> {
    const meta = await readMeta(file);
    const size = await file.size();
    const needed = meta.highWaterMark * meta.pageBytes;
    if (size < needed) {
      const site = { file: file.path, offset: size };
      throw new BboltError(site, `the file ends before its ${needed} bytes`);
    }
    return new PageReader(file, meta);
  }

  /** Whether the file was committed to since it was opened. */
  async isChanged(): Promise<boolean> {
    return (await readMeta(this.#file)).transaction !== this.meta.transaction;
  }

  /** @throws BboltError if there is no such page, or its header names another */
  async read(id: number): Promise<StoredPage> {
    const page = this.#single(id, await this.#firstPage(this.#offsetOf(id)));
    const { header, bytes: first, site } = page;
    if (header.overflow === 0) return page;
    if (id + header.overflow >= this.meta.highWaterMark) {
      throw new BboltError(site, `page ${id} overflows out of bounds`);
    }
    const bytes = await this.#groupBytes(header, first, site);
    if (bytes > MAX_PAGE_GROUP_BYTES) {
      throw new BboltError(site, `page ${id} holds ${bytes} bytes, which is too much`);
    }
    return { header, bytes: await this.#readExactly(site.offset, bytes), site };
  }

  /**
   * As {@link read}, but undefined if that would have to wait.
   * @throws BboltError as it does
   */
  peek(id: number): StoredPage | undefined {
    const first = this.#windows.peek(this.#offsetOf(id), this.meta.pageBytes);
    if (first?.length !== this.meta.pageBytes) return undefined;
    const page = this.#single(id, first);
    return page.header.overflow === 0 ? page : undefined;
  }

  /** Once no page is read any more. */
  settled(): Promise<void> {
    return this.#windows.settled();
  }

  #offsetOf(id: number): number {
    if (id < 2 || id >= this.meta.highWaterMark) {
      throw new BboltError({ file: this.path, offset: 0 }, `page ${id} is out of bounds`);
    }
    return id * this.meta.pageBytes;
  }

  #single(id: number, bytes: Buffer): StoredPage {
    const site = { file: this.path, offset: this.#offsetOf(id) };
    const header = decodePageHeader(bytes, 0);
    if (header.id !== id) throw new BboltError(site, `page ${id} says that it is ${header.id}`);
    return { header, bytes, site };
  }

  /**
   * Bytes of the pages that have something in them. Trap: a damaged count of further pages may be as
   * large as the file, so that it is the elements that say how much is read.
   */
  async #groupBytes(header: PageHeader, first: Buffer, { offset }: BboltSite): Promise<number> {
    const { flags, count, overflow } = header;
    const { pageBytes } = this.meta;
    const all = (overflow + 1) * pageBytes;
    let end: number;
    if (flags === PageKind.freelist) {
      const isHuge = count === HUGE_COUNT;
      const ids = isHuge ? readU64(first, PAGE_HEADER_BYTES) + 1 : count;
      end = PAGE_HEADER_BYTES + 8 * ids;
    } else {
      const at = PAGE_HEADER_BYTES + Math.max(0, count - 1) * ELEMENT_BYTES;
      if (at + ELEMENT_BYTES > all) return pageBytes;
      const isHere = at + ELEMENT_BYTES <= first.length;
      const element = isHere
        ? first.subarray(at, at + ELEMENT_BYTES)
        : await this.#readExactly(offset + at, ELEMENT_BYTES);
      end = at + (flags === PageKind.leaf ? leafElementEnd(element) : branchElementEnd(element));
    }
    return Math.min(all, Math.max(1, Math.ceil(end / pageBytes)) * pageBytes);
  }

  async #firstPage(offset: number): Promise<Buffer> {
    const page = await this.#windows.read(offset, this.meta.pageBytes);
    if (page.length === this.meta.pageBytes) return page;
    throw new BboltError({ file: this.path, offset: offset + page.length }, 'the file was cut');
  }

  async #readExactly(offset: number, length: number): Promise<Buffer> {
    const bytes = await this.#file.read(offset, length);
    if (bytes.length === length) return bytes;
    throw new BboltError({ file: this.path, offset: offset + bytes.length }, 'the file was cut');
  }
}

/** Where the data of an element end, from the start of the element (reference: formats 3.3). */
function leafElementEnd(element: Buffer): number {
  return element.readUInt32LE(4) + element.readUInt32LE(8) + element.readUInt32LE(12);
}

function branchElementEnd(element: Buffer): number {
  return element.readUInt32LE(0) + element.readUInt32LE(4);
}

/** The sound meta with the newer transaction (reference: formats 3.2). */
async function readMeta(file: FileHandle): Promise<BboltMeta> {
  const first = decodeMetaPage(await file.read(0, PAGE_BYTES), 0);
  if (typeof first !== 'string') {
    const second = await readMetaAt(file, first.pageBytes);
    const isNewer = second !== undefined && second.transaction > first.transaction;
    return isNewer ? second : first;
  }
  for (const offset of secondMetaOffsets()) {
    const second = await readMetaAt(file, offset);
    if (second !== undefined) return second;
  }
  throw new BboltError({ file: file.path, offset: 0 }, first);
}

/** The meta of the second page, if pages are `pageBytes` long and it is sound. */
async function readMetaAt(file: FileHandle, pageBytes: number): Promise<BboltMeta | undefined> {
  const meta = decodeMetaPage(await file.read(pageBytes, META_PAGE_BYTES), 0);
  return typeof meta === 'string' || meta.pageBytes !== pageBytes ? undefined : meta;
}
