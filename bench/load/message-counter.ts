const PREFIX_LENGTH = 5;
const MAX_MESSAGE_LENGTH = 16 * 1024 * 1024;
const FIELD_CREATED = 3;
const FIELD_CANCELED = 4;
const FIELD_EVENTS = 11;

/**
 * Counts the events in the WatchResponse messages of one stream without decoding them. Messages
 * may arrive in pieces of any size.
 */
export class MessageCounter {
  #rest: Buffer = Buffer.alloc(0);
  #created = 0;
  #events = 0;

  add(bytes: Buffer, start: number, end: number): void {
    let buffer = bytes;
    let position = start;
    let limit = end;
    if (this.#rest.length > 0) {
      buffer = Buffer.concat([this.#rest, bytes.subarray(start, end)]);
      position = 0;
      limit = buffer.length;
    }
    while (limit - position >= PREFIX_LENGTH) {
      const length = buffer.readUInt32BE(position + 1);
      if (length > MAX_MESSAGE_LENGTH) throw new Error(`watch response of ${length} octets`);
      const next = position + PREFIX_LENGTH + length;
      if (next > limit) break;
      this.#count(buffer, position + PREFIX_LENGTH, next);
      position = next;
    }
    this.#rest = Buffer.from(buffer.subarray(position, limit));
  }

  /** Watchers confirmed since the last call. */
  takeCreated(): number {
    const count = this.#created;
    this.#created = 0;
    return count;
  }

  /** Events received since the last call. */
  takeEvents(): number {
    const count = this.#events;
    this.#events = 0;
    return count;
  }

  #count(bytes: Buffer, start: number, end: number): void {
    let position = start;
    while (position < end) {
      const tag = bytes.readUInt8(position++);
      const field = tag >> 3;
      if (field === FIELD_CANCELED) throw new Error('a watcher was cancelled');
      if (field === FIELD_CREATED) this.#created += 1;
      if (field === FIELD_EVENTS) this.#events += 1;
      let value = 0;
      let factor = 1;
      for (;;) {
        const byte = bytes.readUInt8(position++);
        value += (byte & 0x7f) * factor;
        if (byte < 0x80) break;
        factor *= 128;
      }
      if ((tag & 7) === 2) position += value;
    }
    if (position !== end) throw new Error('malformed watch response');
  }
}
