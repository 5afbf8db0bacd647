import type { FileHandle } from '../platform/fs.js';

/** Pieces that are kept. */
const MAX_WINDOWS = 32;

/**
 * Reads small stretches of a file through a bounded cache of larger pieces, because neighbours are
 * mostly read together.
 */
export class FileWindows {
  readonly #file: FileHandle;
  readonly #windowBytes: number;
  /** By number, the least recently used first. */
  readonly #windows = new Map<number, Buffer>();

  /** @param windowBytes length of a piece; a stretch that is read must not cross the end of one */
  constructor(file: FileHandle, windowBytes: number) {
    this.#file = file;
    this.#windowBytes = windowBytes;
  }

  /** A view that stays as it is; shorter than `length` only at the end of the file. */
  async read(offset: number, length: number): Promise<Buffer> {
    const number = Math.floor(offset / this.#windowBytes);
    let window = this.#windows.get(number);
    if (window === undefined) {
      window = await this.#file.read(number * this.#windowBytes, this.#windowBytes);
      this.#dropOldWindows();
    } else {
      this.#windows.delete(number);
    }
    this.#windows.set(number, window);
    const at = offset - number * this.#windowBytes;
    return window.subarray(at, at + length);
  }

  #dropOldWindows(): void {
    for (const number of this.#windows.keys()) {
      if (this.#windows.size < MAX_WINDOWS) return;
      this.#windows.delete(number);
    }
  }
}
