import { STREAM_WINDOW_BYTES } from './limits.js';
import type { SendQueue } from './send-queue.js';

/** One stream, as its connection sees it. */
export abstract class Http2Stream {
  readonly id: number;
  /** The client ended its side. */
  remoteEnded = false;
  /** The stream is over; nothing may be written to it. */
  isClosed = false;
  /** Octets that the client may still send. */
  receiveWindow: number = STREAM_WINDOW_BYTES;
  /** Octets that we may still send; a change of the client's settings can make it negative. */
  sendWindow: number;
  /** What waits for a window or for the socket; undefined: nothing. */
  queue: SendQueue | undefined;

  constructor(id: number, sendWindow: number) {
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** Messages wait for their reader: the client should not send more. */
  abstract get isHolding(): boolean;
  /** Octets `start` to `end` of a DATA frame; valid during the call only. */
  abstract receive(bytes: Buffer, start: number, end: number): void;
  /** The client ended its side, after everything that was received. */
  abstract receiveEnd(): void;
  /** Something of the queue was written. */
  abstract wrote(): void;
  /** The stream is over, in whatever way. Called once. */
  abstract close(): void;
}
