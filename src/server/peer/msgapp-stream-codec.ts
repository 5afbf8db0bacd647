import { decodeEntry, encodeEntryInto, entryEncodedSize } from '../../proto/hot/entry.js';
import { type Entry, type Message, MessageType, NONE, newMessage } from '../../raft/types.js';
import type { ByteQueue } from './byte-queue.js';
import { type FrameBatch, writeNumber } from './frame-batch.js';
import { checkFrameLength, FrameError, MAX_STREAM_MESSAGE_BYTES } from './frame-error.js';
import {
  decodeMessage,
  encodeMessageInto,
  encodeSnapshot,
  messageEncodedSize,
} from './message-codec.js';

/*
 * The stream for MsgApp, "msgappv2": most messages continue the one before in the same term, and
 * travel as their entries and commit index alone. Both ends keep the position up to which they
 * have come, from zero at the start of each connection.
 * Source: reference, raft-and-peers B2.
 */

const LINK_HEARTBEAT = 0;
const APP_ENTRIES = 1;
const MSG_APP = 2;

const NUMBER_BYTES = 8;

/** The last entry that was sent on a connection. */
interface Position {
  term: number;
  index: number;
}

/** The position behind a whole message. */
function positionAfter({ term, index, entries }: Message): Position {
  return { term, index: entries.at(-1)?.index ?? index };
}

export class MsgAppStreamEncoder {
  #last: Position = { term: 0, index: 0 };

  encode(message: Message, batch: FrameBatch): void {
    const { term, index } = this.#last;
    const continues =
      message.index === index && message.logTerm === term && message.logTerm === message.term;
    if (continues) this.#encodeEntries(message, batch);
    else this.#encodeWhole(message, batch);
  }

  encodeLinkHeartbeat(batch: FrameBatch): void {
    const offset = batch.claim(1);
    batch.buffer[offset] = LINK_HEARTBEAT;
  }

  #encodeEntries({ entries, commit }: Message, batch: FrameBatch): void {
    let size = 1 + NUMBER_BYTES + NUMBER_BYTES;
    for (const entry of entries) size += NUMBER_BYTES + entryEncodedSize(entry);
    let offset = batch.claim(size);
    const { buffer } = batch;
    buffer[offset] = APP_ENTRIES;
    offset = writeNumber(buffer, offset + 1, entries.length);
    for (const entry of entries) {
      offset = writeNumber(buffer, offset, entryEncodedSize(entry));
      offset = encodeEntryInto(buffer, offset, entry);
    }
    writeNumber(buffer, offset, commit);
    this.#last.index += entries.length;
  }

  #encodeWhole(message: Message, batch: FrameBatch): void {
    const snapshot = encodeSnapshot(message);
    const size = messageEncodedSize(message, snapshot);
    const start = batch.claim(1 + NUMBER_BYTES + size);
    batch.buffer[start] = MSG_APP;
    const offset = writeNumber(batch.buffer, start + 1, size);
    encodeMessageInto(batch.buffer, offset, message, snapshot);
    this.#last = positionAfter(message);
  }
}

/** A frame of entries of which not all has come. */
interface OpenEntries {
  /** Entries announced. */
  readonly count: number;
  readonly entries: Entry[];
  /** Length of the next entry, if it is known. */
  length: number | undefined;
  /** Of all entries so far. */
  bytes: number;
}

export class MsgAppStreamDecoder {
  readonly #local: bigint;
  readonly #peer: bigint;
  readonly #limit: number;
  #last: Position = { term: 0, index: 0 };
  #type: number | undefined;
  /** Length of the whole message that has begun. */
  #length: number | undefined;
  #open: OpenEntries | undefined;

  /** @param limit longest message, and most entries in a frame, bytes */
  constructor(local: bigint, peer: bigint, limit = MAX_STREAM_MESSAGE_BYTES) {
    this.#local = local;
    this.#peer = peer;
    this.#limit = limit;
  }

  decode(queue: ByteQueue): Message | undefined {
    this.#type ??= queue.takeByte();
    const message = this.#decodeType(queue);
    if (message !== undefined) this.#type = undefined;
    return message;
  }

  #decodeType(queue: ByteQueue): Message | undefined {
    switch (this.#type) {
      case undefined:
        return undefined;
      case LINK_HEARTBEAT:
        return newMessage(MessageType.Heartbeat, NONE);
      case APP_ENTRIES:
        return this.#decodeEntries(queue);
      case MSG_APP:
        return this.#decodeWhole(queue);
      default:
        throw new FrameError(`failed to parse type ${this.#type} in msgappv2 stream`);
    }
  }

  #decodeEntries(queue: ByteQueue): Message | undefined {
    this.#open ??= openEntries(queue);
    const open = this.#open;
    if (open === undefined) return undefined;
    while (open.entries.length < open.count) {
      const entry = this.#decodeEntry(queue, open);
      if (entry === undefined) return undefined;
      open.entries.push(entry);
    }
    const commit = queue.takeNumber();
    if (commit === undefined) return undefined;
    this.#open = undefined;
    return this.#rebuild(open.entries, commit);
  }

  #decodeEntry(queue: ByteQueue, open: OpenEntries): Entry | undefined {
    if (open.length === undefined) {
      open.length = queue.takeNumber();
      if (open.length === undefined) return undefined;
      open.bytes += NUMBER_BYTES + open.length;
      checkFrameLength(open.bytes, this.#limit);
    }
    const bytes = queue.take(open.length);
    if (bytes === undefined) return undefined;
    open.length = undefined;
    const entry = decodeEntry(bytes);
    const expected = this.#last.index + open.entries.length + 1;
    if (entry.index !== expected) {
      throw new FrameError(`entry ${entry.index} came where ${expected} was due`);
    }
    return entry;
  }

  #rebuild(entries: readonly Entry[], commit: number): Message {
    if (!Number.isSafeInteger(commit))
      throw new FrameError(`commit index ${commit} is beyond 2^53`);
    const { term, index } = this.#last;
    const message = newMessage(MessageType.App, this.#local);
    message.from = this.#peer;
    message.term = term;
    message.logTerm = term;
    message.index = index;
    message.entries = entries;
    message.commit = commit;
    // Trap: each entry counts; forgetting that corrupts every later frame.
    this.#last.index += entries.length;
    return message;
  }

  #decodeWhole(queue: ByteQueue): Message | undefined {
    if (this.#length === undefined) {
      const length = queue.takeNumber();
      if (length === undefined) return undefined;
      checkFrameLength(length, this.#limit);
      this.#length = length;
    }
    const bytes = queue.take(this.#length);
    if (bytes === undefined) return undefined;
    this.#length = undefined;
    const message = decodeMessage(bytes);
    this.#last = positionAfter(message);
    return message;
  }
}

function openEntries(queue: ByteQueue): OpenEntries | undefined {
  const count = queue.takeNumber();
  return count === undefined ? undefined : { count, entries: [], length: undefined, bytes: 0 };
}
