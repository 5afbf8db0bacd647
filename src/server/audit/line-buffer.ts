/** Longest UTF-8 form of a character of a string, bytes. */
const MAX_CHARACTER_BYTES = 3;
const FIRST_SIZE_BYTES = 256 * 1024;
/** Shorter pieces are copied byte by byte: the call of a copy function costs more. */
const SHORT_BYTES = 40;
/** The largest number with a quick way. */
const MAX_SMALL = 0x7fff_ffff;

const ZERO = 0x30;
const SPACE = 0x20;
const TILDE = 0x7e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Text as UTF-8, put together from pieces without a string for each. */
export class LineBuffer {
  #bytes = Buffer.allocUnsafe(FIRST_SIZE_BYTES);
  length = 0;

  /** All that was written, until the next change. */
  get content(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  text(text: string): void {
    this.#reserve(text.length * MAX_CHARACTER_BYTES);
    this.length += this.#bytes.write(text, this.length);
  }

  copy(source: Uint8Array, start = 0, end = source.length): void {
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let at = this.length;
    if (end - start > SHORT_BYTES) {
      bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
      at += end - start;
    } else {
      for (let from = start; from < end; from++) bytes[at++] = source[from] ?? 0;
    }
    this.length = at;
  }

  /**
   * Copies bytes that can stand between quotes as they are.
   * @returns false, and writes nothing, if some can't
   */
  copyPlain(source: Uint8Array, start: number, end: number): boolean {
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let at = this.length;
    for (let from = start; from < end; from++) {
      const byte = source[from] ?? 0;
      if (byte < SPACE || byte > TILDE || byte === QUOTE || byte === BACKSLASH) return false;
      bytes[at++] = byte;
    }
    this.length = at;
    return true;
  }

  /** Decimal digits, at least so many. @param value whole, not negative */
  number(value: number, leastDigits = 1): void {
    if (value > MAX_SMALL) {
      this.text(String(value));
      return;
    }
    let rest = value | 0;
    let digits = 1;
    for (let limit = 10; limit <= rest; limit *= 10) digits += 1;
    if (digits < leastDigits) digits = leastDigits;
    this.#reserve(digits);
    const bytes = this.#bytes;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const quotient = (rest / 10) | 0;
      bytes[at] = ZERO + rest - quotient * 10;
      rest = quotient;
    }
    this.length += digits;
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.length + bytes));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}
