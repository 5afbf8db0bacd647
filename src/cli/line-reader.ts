import type { Readable } from 'node:stream';
import { argumentText } from './args/argument-bytes.js';

const NEWLINE = 0x0a;

/** Reads a stream line by line, or the rest of it at once. Lines keep every byte. */
export class LineReader {
  readonly #chunks: AsyncIterator<Buffer | string>;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** The next line without its newline; undefined at the end, even if an unfinished line is left. */
  async readLine(): Promise<string | undefined> {
    for (;;) {
      const end = this.#buffered.indexOf(NEWLINE);
      if (end >= 0) {
        const line = this.#buffered.subarray(0, end);
        this.#buffered = this.#buffered.subarray(end + 1);
        return argumentText(line);
      }
      if (!(await this.#fill())) return undefined;
    }
  }

  /**
   * All that the stream has left. What came along with lines is not part of it, as etcdctl reads its
   * input past the buffer that holds the lines.
   */
  async readRest(): Promise<Buffer> {
    const parts: Buffer[] = [];
    this.#buffered = Buffer.alloc(0);
    for (
      let next = await this.#chunks.next();
      next.done !== true;
      next = await this.#chunks.next()
    ) {
      parts.push(toBuffer(next.value));
    }
    return Buffer.concat(parts);
  }

  async #fill(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#buffered = Buffer.concat([this.#buffered, toBuffer(next.value)]);
    return true;
  }
}

function toBuffer(chunk: Buffer | string): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
