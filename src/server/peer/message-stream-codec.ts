import type { Message } from '../../raft/types.js';
import type { ByteQueue } from './byte-queue.js';
import { type FrameBatch, writeNumber } from './frame-batch.js';
import { checkFrameLength, MAX_STREAM_MESSAGE_BYTES } from './frame-error.js';
import {
  decodeMessage,
  encodeMessageInto,
  encodeSnapshot,
  messageEncodedSize,
} from './message-codec.js';

const LENGTH_BYTES = 8;
/** A MsgHeartbeat from nobody to nobody, as 3.7 writes it. */
const LINK_HEARTBEAT = Buffer.from([0, 0, 0, 0, 0, 0, 0, 2, 0x08, 0x08]);

/** Frames of the general stream: length and message. */
export class MessageStreamEncoder {
  encode(message: Message, batch: FrameBatch): void {
    const snapshot = encodeSnapshot(message);
    const size = messageEncodedSize(message, snapshot);
    const start = batch.claim(LENGTH_BYTES + size);
    const offset = writeNumber(batch.buffer, start, size);
    encodeMessageInto(batch.buffer, offset, message, snapshot);
  }

  encodeLinkHeartbeat(batch: FrameBatch): void {
    const offset = batch.claim(LINK_HEARTBEAT.length);
    batch.buffer.set(LINK_HEARTBEAT, offset);
  }
}

/** Reads frames of the general stream. */
export class MessageStreamDecoder {
  readonly #limit: number;
  /** Of the frame that has begun. */
  #length: number | undefined;

  /** @param limit longest message, bytes */
  constructor(limit = MAX_STREAM_MESSAGE_BYTES) {
    this.#limit = limit;
  }

  decode(queue: ByteQueue): Message | undefined {
    if (this.#length === undefined) {
      const length = queue.takeNumber();
      if (length === undefined) return undefined;
      checkFrameLength(length, this.#limit);
      this.#length = length;
    }
    const bytes = queue.take(this.#length);
    if (bytes === undefined) return undefined;
    this.#length = undefined;
    return decodeMessage(bytes);
  }
}
