import { closeSync, openSync, readSync } from 'node:fs';

/**
 * A file for reading without a wait: for what is mapped into memory anyway, where reading it in
 * another thread would cost more than it gains. Throws ErrnoException.
 */
export class SyncFile {
  readonly path: string;
  readonly #descriptor: number;

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  static open(path: string): SyncFile {
    return new SyncFile(path, openSync(path, 'r'));
  }

  /** As FileHandle.read: shorter only at the end of the file. */
  read(position: number, length: number): Buffer {
    return this.readInto(Buffer.allocUnsafeSlow(length), position);
  }

  /** Fills a buffer; the result is the part of it that was read. */
  readInto(bytes: Buffer, position: number): Buffer {
    let got = 0;
    while (got < bytes.length) {
      const count = readSync(this.#descriptor, bytes, got, bytes.length - got, position + got);
      if (count === 0) break;
      got += count;
    }
    return bytes.subarray(0, got);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
