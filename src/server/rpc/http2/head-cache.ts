import type { RequestHead } from './request-head.js';

/** Slots of the cache of one connection; a power of two. */
const SLOTS = 64;
/** Longer blocks are not kept, octets. */
const MAX_BLOCK_BYTES = 512;

interface Slot {
  readonly block: Buffer;
  readonly head: RequestHead;
  /** State of the decoder's table under which the block means this; -1: under any. */
  readonly tableVersion: number;
}

/**
 * Remembers what header blocks mean: a client sends the same few again and again, and then nothing
 * has to be decoded.
 */
export class HeadCache {
  readonly #slots: (Slot | undefined)[] = [];

  find(bytes: Buffer, start: number, end: number, tableVersion: number): RequestHead | undefined {
    const slot = this.#slots[slotOf(bytes, start, end)];
    if (slot === undefined) return undefined;
    if (slot.tableVersion !== -1 && slot.tableVersion !== tableVersion) return undefined;
    const { block } = slot;
    if (block.length !== end - start || block.compare(bytes, start, end) !== 0) return undefined;
    return slot.head;
  }

  /** The block must not be one that changes the table. */
  keep(bytes: Buffer, start: number, end: number, head: RequestHead, tableVersion: number): void {
    if (end - start > MAX_BLOCK_BYTES) return;
    const block = Buffer.from(bytes.subarray(start, end));
    this.#slots[slotOf(bytes, start, end)] = { block, head, tableVersion };
  }
}

function slotOf(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let position = start; position < end; position++) {
    hash = (Math.imul(hash, 31) + (bytes[position] ?? 0)) | 0;
  }
  return (hash ^ (hash >>> 16)) & (SLOTS - 1);
}
