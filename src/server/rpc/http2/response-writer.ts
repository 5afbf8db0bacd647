import { asBuffer } from '../../../base/bytes.js';
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER_BYTES,
  FrameType,
  Http2Code,
  MAX_WINDOW_BYTES,
  writeFrameHeader,
} from '../../../base/http2/frames.js';
import { DEFAULT_TABLE_BYTES } from '../../../base/http2/hpack.js';
import type { PingPolicy } from '../ping-policy.js';
import { ConnectionError } from './connection-error.js';
import type { Http2Stream } from './http2-stream.js';
import { MESSAGE_PREFIX_BYTES } from './message-assembler.js';
import type { Outgoing } from './outgoing.js';
import { OK_TRAILERS } from './response-headers.js';
import { SendQueue } from './send-queue.js';

/** A change of the table's size to nothing, at the start of a header block. */
const EMPTY_TABLE = Buffer.of(0x20);
/** Largest DATA frame that we send even if the client takes larger ones: streams take turns. */
const MAX_DATA_BYTES = 64 * 1024;
/** Responses whose headers and message are up to this size are composed in one piece. */
const SMALL_REPLY_BYTES = 4096;

/** Writes responses within the client's flow-control windows, and queues what has to wait. */
export class ResponseWriter {
  readonly #outgoing: Outgoing;
  readonly #pings: PingPolicy;
  readonly #onEnded: (stream: Http2Stream) => void;
  readonly #append = (piece: Buffer, start: number, end: number): void =>
    this.#outgoing.append(piece, start, end);
  #window = DEFAULT_WINDOW_BYTES;
  #initialWindow = DEFAULT_WINDOW_BYTES;
  #maxFrameBytes = DEFAULT_MAX_FRAME_BYTES;
  #heldBytes = 0;
  /** Streams that have something queued and a window for it, in the order of their turns. */
  readonly #ready = new Set<Http2Stream>();
  /** Size of the client's table of headers, octets; we have nothing in it. */
  #tableBytes = DEFAULT_TABLE_BYTES;
  #hasSmallerTable = false;

  /** @param onEnded told of each stream whose last frame was written */
  constructor(outgoing: Outgoing, pings: PingPolicy, onEnded: (stream: Http2Stream) => void) {
    this.#outgoing = outgoing;
    this.#pings = pings;
    this.#onEnded = onEnded;
  }

  /** Window of a new stream. */
  get initialWindow(): number {
    return this.#initialWindow;
  }

  /** Octets in all queues. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether {@link pump} would write something. */
  get canPump(): boolean {
    return this.#ready.size > 0 && this.#window > 0 && !this.#outgoing.isFull;
  }

  /** A whole successful response: headers, one message, trailers. */
  reply(stream: Http2Stream, headers: Buffer, message: Uint8Array): void {
    const bytes = MESSAGE_PREFIX_BYTES + message.length;
    const isSmall = message.length <= SMALL_REPLY_BYTES && headers.length <= SMALL_REPLY_BYTES;
    if (!isSmall || this.#hasSmallerTable || !this.#mayPass(stream, bytes)) {
      this.headers(stream.id, headers, 0);
      this.message(stream, message);
      this.trailers(stream, OK_TRAILERS);
      return;
    }
    this.#spend(stream, bytes);
    const { id } = stream;
    const size = 3 * FRAME_HEADER_BYTES + headers.length + bytes + OK_TRAILERS.length;
    let at = this.#outgoing.reserve(size);
    const { slab } = this.#outgoing;
    at = writeFrameHeader(slab, at, headers.length, FrameType.Headers, FLAG_END_HEADERS, id);
    slab.set(headers, at);
    at = writeFrameHeader(slab, at + headers.length, bytes, FrameType.Data, 0, id);
    at = writePrefix(slab, at, message.length);
    slab.set(message, at);
    at += message.length;
    const flags = FLAG_END_HEADERS | FLAG_END_STREAM;
    at = writeFrameHeader(slab, at, OK_TRAILERS.length, FrameType.Headers, flags, id);
    slab.set(OK_TRAILERS, at);
    this.#onEnded(stream);
  }

  /** Writes a header block; headers pass what is queued on other streams. */
  headers(streamId: number, fields: Buffer, flags: number): void {
    this.#pings.forgive();
    const block = this.#hasSmallerTable ? Buffer.concat([EMPTY_TABLE, fields]) : fields;
    this.#hasSmallerTable = false;
    let start = 0;
    let type: number = FrameType.Headers;
    let rest = flags;
    do {
      const end = Math.min(block.length, start + DEFAULT_MAX_FRAME_BYTES);
      if (end === block.length) rest |= FLAG_END_HEADERS;
      const at = this.#outgoing.reserve(FRAME_HEADER_BYTES);
      writeFrameHeader(this.#outgoing.slab, at, end - start, type, rest, streamId);
      this.#outgoing.append(block, start, end);
      type = FrameType.Continuation;
      rest = 0;
      start = end;
    } while (start < block.length);
  }

  /** Writes a message or queues it. It must not change any more. */
  message(stream: Http2Stream, message: Uint8Array): void {
    const bytes = MESSAGE_PREFIX_BYTES + message.length;
    if (this.#mayPass(stream, bytes)) {
      this.#spend(stream, bytes);
      let at = this.#outgoing.reserve(FRAME_HEADER_BYTES + MESSAGE_PREFIX_BYTES);
      const { slab } = this.#outgoing;
      at = writeFrameHeader(slab, at, bytes, FrameType.Data, 0, stream.id);
      writePrefix(slab, at, message.length);
      this.#outgoing.append(asBuffer(message), 0, message.length);
      return;
    }
    const prefix = Buffer.allocUnsafe(MESSAGE_PREFIX_BYTES);
    writePrefix(prefix, 0, message.length);
    this.#enqueue(stream, prefix);
    this.#enqueue(stream, asBuffer(message));
  }

  /** Writes octets that are no message, or queues them. They must not change any more. */
  data(stream: Http2Stream, bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (!this.#mayPass(stream, bytes.length)) {
      this.#enqueue(stream, bytes);
      return;
    }
    this.#spend(stream, bytes.length);
    const at = this.#outgoing.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.#outgoing.slab, at, bytes.length, FrameType.Data, 0, stream.id);
    this.#outgoing.append(bytes, 0, bytes.length);
  }

  /** Ends the stream, after what is queued on it; an empty block means that there is none. */
  trailers(stream: Http2Stream, block: Buffer): void {
    if (stream.queue !== undefined) {
      stream.queue.trailers = block;
      return;
    }
    if (block.length > 0) {
      this.headers(stream.id, block, FLAG_END_STREAM);
    } else {
      const at = this.#outgoing.reserve(FRAME_HEADER_BYTES);
      writeFrameHeader(this.#outgoing.slab, at, 0, FrameType.Data, FLAG_END_STREAM, stream.id);
    }
    this.#onEnded(stream);
  }

  /** Forgets what is queued on a stream. */
  drop(stream: Http2Stream): void {
    // Trap: a stream left here stays in memory for as long as the window of the connection is closed.
    this.#ready.delete(stream);
    if (stream.queue === undefined) return;
    this.#heldBytes -= stream.queue.bytes;
    stream.queue = undefined;
  }

  /** Writes queued data, one frame a stream in turn, as far as windows and socket allow. */
  pump(): void {
    // Who is added again meanwhile comes last.
    for (const stream of this.#ready) {
      if (!this.canPump) return;
      this.#ready.delete(stream);
      if (stream.queue !== undefined) this.#writeSome(stream, stream.queue);
    }
  }

  /** @throws ConnectionError if the window grows beyond 2^31-1 */
  growWindow(increment: number): void {
    this.#window += increment;
    if (this.#window > MAX_WINDOW_BYTES) throw windowOverflow();
  }

  /** False: the window grew beyond 2^31-1, and the stream must be reset. */
  growStreamWindow(stream: Http2Stream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW_BYTES) return false;
    if (stream.queue !== undefined) this.#makeReady(stream);
    return true;
  }

  /** @throws ConnectionError if the window of an open stream grows beyond 2^31-1 */
  setInitialWindow(bytes: number, open: Iterable<Http2Stream>): void {
    const change = bytes - this.#initialWindow;
    this.#initialWindow = bytes;
    for (const stream of open) {
      if (!this.growStreamWindow(stream, change)) throw windowOverflow();
    }
  }

  setMaxFrameBytes(bytes: number): void {
    this.#maxFrameBytes = Math.min(bytes, MAX_DATA_BYTES);
  }

  /**
   * Takes note of the size of the client's table of headers, octets. Trap: we index nothing, and yet
   * must say so in the next header block if the table became smaller (RFC 7541, 4.2): nghttp2 ends
   * the connection otherwise.
   */
  setTableBytes(bytes: number): void {
    this.#hasSmallerTable ||= bytes < this.#tableBytes;
    this.#tableBytes = bytes;
  }

  #mayPass(stream: Http2Stream, bytes: number): boolean {
    return (
      stream.queue === undefined &&
      bytes <= stream.sendWindow &&
      bytes <= this.#window &&
      bytes <= this.#maxFrameBytes &&
      !this.#outgoing.isFull
    );
  }

  /** Trap: clients in Go ping to measure while a long response arrives; each frame allows that. */
  #spend(stream: Http2Stream, bytes: number): void {
    this.#pings.forgive();
    this.#window -= bytes;
    stream.sendWindow -= bytes;
  }

  #enqueue(stream: Http2Stream, bytes: Buffer): void {
    stream.queue ??= new SendQueue();
    stream.queue.push(bytes);
    this.#heldBytes += bytes.length;
    this.#makeReady(stream);
    // Whoever ends the turn writes what the windows allow.
    this.#outgoing.reserve(0);
  }

  #makeReady(stream: Http2Stream): void {
    if (stream.sendWindow > 0) this.#ready.add(stream);
  }

  #writeSome(stream: Http2Stream, queue: SendQueue): void {
    const bytes = Math.min(queue.bytes, this.#maxFrameBytes, this.#window, stream.sendWindow);
    if (bytes <= 0) return;
    this.#spend(stream, bytes);
    this.#heldBytes -= bytes;
    const at = this.#outgoing.reserve(FRAME_HEADER_BYTES);
    writeFrameHeader(this.#outgoing.slab, at, bytes, FrameType.Data, 0, stream.id);
    queue.shift(bytes, this.#append);
    if (queue.bytes > 0) {
      this.#makeReady(stream);
    } else {
      stream.queue = undefined;
      if (queue.trailers !== undefined) this.trailers(stream, queue.trailers);
    }
    stream.wrote();
  }
}

function writePrefix(target: Buffer, at: number, length: number): number {
  target[at] = 0;
  target[at + 1] = length >>> 24;
  target[at + 2] = length >>> 16;
  target[at + 3] = length >>> 8;
  target[at + 4] = length;
  return at + MESSAGE_PREFIX_BYTES;
}

function windowOverflow(): ConnectionError {
  return new ConnectionError(Http2Code.FlowControlError, 'a window of more than 2^31-1 octets');
}
