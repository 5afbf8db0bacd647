import { BboltError } from './bbolt-error.js';
import type { BboltFile } from './bbolt-file.js';
import type { StoredPage } from './page-reader.js';

/** Notes which pages a walk over the whole file meets: one bit a page (reference: formats 3.7). */
export class PageUse {
  readonly #pageCount: number;
  readonly #bits: Uint8Array;

  constructor(pageCount: number) {
    this.#pageCount = pageCount;
    this.#bits = new Uint8Array(Math.ceil(pageCount / 8));
  }

  /** @throws BboltError if the page, or one that belongs to it, was met before */
  readonly visit = ({ header, site }: StoredPage): void => {
    for (let id = header.id; id <= header.id + header.overflow; id++) {
      if (this.#isUsed(id)) throw new BboltError(site, `page ${id}: multiple references`);
      this.#use(id);
    }
  };

  /**
   * After a walk over all trees: every other page must be in the freelist, if one is stored, and
   * none that was met.
   * @throws BboltError
   */
  async checkFreelist(file: Pick<BboltFile, 'freelist'>): Promise<void> {
    const freelist = await file.freelist();
    if (freelist === undefined) return;
    this.visit(freelist.page);
    const { site } = freelist.page;
    for (const id of freelist.ids) {
      if (id < 2 || id >= this.#pageCount) {
        throw new BboltError(site, `page ${id} of the freelist is out of bounds`);
      }
      if (this.#isUsed(id)) throw new BboltError(site, `page ${id}: reachable freed`);
      this.#use(id);
    }
    for (let id = 2; id < this.#pageCount; id++) {
      if (!this.#isUsed(id)) throw new BboltError(site, `page ${id}: unreachable unfreed`);
    }
  }

  #isUsed(id: number): boolean {
    return ((this.#bits[id >> 3] ?? 0) & (1 << (id & 7))) !== 0;
  }

  #use(id: number): void {
    this.#bits[id >> 3] = (this.#bits[id >> 3] ?? 0) | (1 << (id & 7));
  }
}
