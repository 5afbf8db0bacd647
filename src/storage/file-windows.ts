import type { FileHandle } from '../platform/fs.js';

/** Pieces that are kept. */
const MAX_WINDOWS = 32;

/** A piece that is being read. */
interface ComingWindow {
  readonly number: number;
  readonly reading: Promise<Buffer>;
}

export interface FileWindowsOptions {
  /** Whether the piece after two neighbours is read while they are looked at. Default false. */
  readonly readsAhead?: boolean;
}

/**
 * Reads small stretches of a file through a bounded cache of larger pieces, because neighbours are
 * mostly read together.
 */
export class FileWindows {
  readonly #file: Pick<FileHandle, 'read'>;
  readonly #windowBytes: number;
  /** By number, the least recently used first. */
  readonly #windows = new Map<number, Buffer>();
  readonly #readsAhead: boolean;
  /** The last piece that was read ahead; at most one is on its way. */
  #coming: ComingWindow | undefined;
  #isComing = false;
  #last = -1;

  /** @param windowBytes length of a piece; a stretch that is read must not cross the end of one */
  constructor(
    file: Pick<FileHandle, 'read'>,
    windowBytes: number,
    options: FileWindowsOptions = {},
  ) {
    this.#readsAhead = options.readsAhead === true;
    this.#file = file;
    this.#windowBytes = windowBytes;
  }

  /** A view that stays as it is; shorter than `length` only at the end of the file. */
  async read(offset: number, length: number): Promise<Buffer> {
    const number = Math.floor(offset / this.#windowBytes);
    let window = this.#windows.get(number);
    if (window === undefined) {
      window = await this.#load(number);
      this.#dropOldWindows();
    } else {
      this.#windows.delete(number);
    }
    this.#windows.set(number, window);
    const at = offset - number * this.#windowBytes;
    return window.subarray(at, at + length);
  }

  /** As {@link read}, but undefined if that would have to wait. */
  peek(offset: number, length: number): Buffer | undefined {
    const number = Math.floor(offset / this.#windowBytes);
    const window = this.#windows.get(number);
    if (window === undefined) return undefined;
    if (number !== this.#last) {
      this.#windows.delete(number);
      this.#windows.set(number, window);
      this.#last = number;
    }
    const at = offset - number * this.#windowBytes;
    return window.subarray(at, at + length);
  }

  /** Once nothing is read any more, so that the file can be closed. */
  async settled(): Promise<void> {
    await this.#coming?.reading.catch(() => {});
  }

  async #load(number: number): Promise<Buffer> {
    const coming = this.#coming;
    const window = await (coming?.number === number ? coming.reading : this.#fetch(number));
    const isInOrder = this.#windows.has(number - 1) && !this.#windows.has(number + 1);
    const isWhole = window.length === this.#windowBytes;
    if (this.#readsAhead && isInOrder && isWhole && !this.#isComing) this.#readAhead(number + 1);
    return window;
  }

  #readAhead(number: number): void {
    const reading = this.#fetch(number);
    this.#coming = { number, reading };
    this.#isComing = true;
    const done = () => {
      this.#isComing = false;
    };
    // An error is told to whoever needs that piece.
    reading.then(done, done);
  }

  #fetch(number: number): Promise<Buffer> {
    return this.#file.read(number * this.#windowBytes, this.#windowBytes);
  }

  #dropOldWindows(): void {
    for (const number of this.#windows.keys()) {
      if (this.#windows.size < MAX_WINDOWS) return;
      this.#windows.delete(number);
    }
  }
}
