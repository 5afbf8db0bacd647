import {
  CLIENT_PREFACE,
  DEFAULT_MAX_FRAME_BYTES,
  FRAME_HEADER_BYTES,
  Http2Code,
} from '../../../base/http2/frames.js';
import { ConnectionError } from './connection-error.js';

/** Takes one frame: its payload is `bytes` from `start` to `end`, valid during the call only. */
export interface FrameSink {
  /** False: nothing of what follows is of interest. */
  readonly isReading: boolean;
  frame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void;
}

/**
 * Cuts what a client sends into frames, in place: only a frame that spans chunks is copied.
 */
export class FrameSplitter {
  readonly #sink: FrameSink;
  #prefaceBytes = 0;
  /** A frame of which a part has arrived: first its head, then all of it. */
  #partial: Buffer | undefined;
  #filled = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** @throws ConnectionError, and what the sink throws */
  push(chunk: Buffer): void {
    let position = this.#prefaceBytes < CLIENT_PREFACE.length ? this.#preface(chunk) : 0;
    if (this.#partial !== undefined) position = this.#complete(this.#partial, chunk, position);
    while (this.#sink.isReading && chunk.length - position >= FRAME_HEADER_BYTES) {
      const end = position + FRAME_HEADER_BYTES + payloadBytes(chunk, position);
      if (end > chunk.length) break;
      this.#deliver(chunk, position, end);
      position = end;
    }
    if (position < chunk.length && this.#sink.isReading) this.#keep(chunk, position);
  }

  #preface(chunk: Buffer): number {
    const count = Math.min(CLIENT_PREFACE.length - this.#prefaceBytes, chunk.length);
    const start = this.#prefaceBytes;
    if (CLIENT_PREFACE.compare(chunk, 0, count, start, start + count) !== 0) {
      throw new ConnectionError(Http2Code.ProtocolError, 'bad client preface');
    }
    this.#prefaceBytes += count;
    return count;
  }

  /** Goes on with the frame that an earlier chunk began; the result is where the next one starts. */
  #complete(head: Buffer, chunk: Buffer, start: number): number {
    let partial = head;
    let position = this.#fill(partial, chunk, start);
    if (this.#filled < partial.length) return position;
    if (partial.length === FRAME_HEADER_BYTES) {
      const bytes = payloadBytes(partial, 0);
      if (bytes > 0) {
        partial = Buffer.allocUnsafe(FRAME_HEADER_BYTES + bytes);
        head.copy(partial);
        this.#partial = partial;
        position = this.#fill(partial, chunk, position);
        if (this.#filled < partial.length) return position;
      }
    }
    this.#partial = undefined;
    this.#deliver(partial, 0, partial.length);
    return position;
  }

  #fill(partial: Buffer, chunk: Buffer, position: number): number {
    const count = Math.min(partial.length - this.#filled, chunk.length - position);
    chunk.copy(partial, this.#filled, position, position + count);
    this.#filled += count;
    return position + count;
  }

  #keep(chunk: Buffer, position: number): void {
    const hasHead = chunk.length - position >= FRAME_HEADER_BYTES;
    const bytes = FRAME_HEADER_BYTES + (hasHead ? payloadBytes(chunk, position) : 0);
    this.#partial = Buffer.allocUnsafe(bytes);
    this.#filled = 0;
    this.#fill(this.#partial, chunk, position);
  }

  #deliver(bytes: Buffer, at: number, end: number): void {
    const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const start = at + FRAME_HEADER_BYTES;
    this.#sink.frame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, streamId, bytes, start, end);
  }
}

function payloadBytes(bytes: Buffer, at: number): number {
  const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  if (length > DEFAULT_MAX_FRAME_BYTES) {
    throw new ConnectionError(Http2Code.FrameSizeError, `frame of ${length} octets`);
  }
  return length;
}
