/** What one connection may take of us. */

/** Window of a stream that we offer, octets: four full requests of the default limit. */
export const STREAM_WINDOW_BYTES: number = 8 * 1024 * 1024;
/** Window of a connection that we offer, octets. */
export const CONNECTION_WINDOW_BYTES: number = 2 ** 30;
/** Largest header list that we accept, octets as RFC 7541 counts them. */
export const MAX_HEADER_LIST_BYTES: number = 64 * 1024;
/** Largest header block, octets; Huffman-coded it is smaller than its list. */
export const MAX_HEADER_BLOCK_BYTES: number = 64 * 1024;
/** CONTINUATION frames of one header block. */
export const MAX_CONTINUATIONS = 64;
/** What an open stream counts for its own memory, octets. */
export const STREAM_BYTES = 2048;
/** Octets of open streams, of incomplete requests and of responses that wait, together. */
export const MAX_HELD_BYTES: number = 512 * 1024 * 1024;
/** Octets in the socket from which responses wait in their streams. */
export const SOCKET_FULL_BYTES: number = 256 * 1024;
/** Octets in the socket from which nothing more is read from the client. */
export const SOCKET_CHOKED_BYTES: number = 1024 * 1024;
/** How long a connection that we gave up may take to read our last words, ms. */
export const LINGER_MILLIS = 1000;
/** How long the rest of an HTTP request may come in after its answer, ms. */
export const LATE_BODY_MILLIS = 250;

/** The span over which the next two are counted, ms. */
export const BUDGET_SPAN_MILLIS = 10_000;
/** Frames that ask for work and carry none: SETTINGS, PING, PRIORITY, empty DATA, unknown ones. */
export const MAX_IDLE_FRAMES = 10_000;
/** Streams that the client opens and takes back before they are answered. */
export const MAX_RESETS = 20_000;

/** Counts events, and says when there are too many of them in a span of time. */
export class RateBudget {
  readonly #limit: number;
  #spanStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes note of an event. False: there were too many. */
  spend(nowMillis: number): boolean {
    if (nowMillis - this.#spanStart > BUDGET_SPAN_MILLIS) {
      this.#spanStart = nowMillis;
      this.#count = 0;
    }
    this.#count++;
    return this.#count <= this.#limit;
  }
}
