import type { Message } from '../../raft/types.js';

/** What a message weighs besides the data of its entries, bytes. */
const MESSAGE_BYTES = 64;
/** How many taken messages may stay in memory. */
const MAX_HOLES = 1024;

/** Messages that wait to be sent, bounded by number and weight. */
export class MessageQueue {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #messages: (Message | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#messages.length - this.#head;
  }

  /** False: there is no room. One message always fits into an empty queue, whatever its weight. */
  push(message: Message): boolean {
    const bytes = weightOf(message);
    if (this.length >= this.#maxMessages) return false;
    if (this.length > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#messages.push(message);
    this.#bytes += bytes;
    return true;
  }

  shift(): Message | undefined {
    const message = this.#messages[this.#head];
    if (message === undefined) return undefined;
    this.#messages[this.#head] = undefined;
    this.#head++;
    this.#bytes -= weightOf(message);
    if (this.#head === this.#messages.length) {
      this.#messages.length = 0;
      this.#head = 0;
    } else if (this.#head >= MAX_HOLES) {
      this.#messages = this.#messages.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }

  clear(): void {
    this.#messages = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

function weightOf({ entries, context }: Message): number {
  let bytes = MESSAGE_BYTES + context.length;
  for (const { data } of entries) bytes += MESSAGE_BYTES + data.length;
  return bytes;
}
