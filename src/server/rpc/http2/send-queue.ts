/** What one stream could not send yet, in order: octets of messages, then trailers. */
export class SendQueue {
  /** Header block that ends the stream after the octets; undefined: the call goes on. */
  trailers: Buffer | undefined;
  readonly #pieces: Buffer[] = [];
  #first = 0;
  #offset = 0;
  #bytes = 0;

  /** Octets of messages, with their prefixes. */
  get bytes(): number {
    return this.#bytes;
  }

  push(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** Hands the next `count` octets, at most {@link bytes}, to `append`. */
  shift(count: number, append: (piece: Buffer, start: number, end: number) => void): void {
    let rest = count;
    while (rest > 0) {
      const piece = this.#pieces[this.#first];
      if (piece === undefined) throw new RangeError('more octets than are queued');
      const end = Math.min(piece.length, this.#offset + rest);
      append(piece, this.#offset, end);
      rest -= end - this.#offset;
      this.#offset = end;
      if (end < piece.length) continue;
      this.#offset = 0;
      this.#first++;
    }
    this.#bytes -= count;
    // Half of the list is history: let it go.
    if (this.#first * 2 < this.#pieces.length) return;
    this.#pieces.splice(0, this.#first);
    this.#first = 0;
  }
}
