import type { Entry } from './types.js';

/** Bytes that a protobuf varint takes for a non-negative safe integer. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest /= 128) size++;
  return size;
}

/**
 * Bytes of the encoded entry with its scalars always written.
 * Trap: encoded sizes differ between etcd versions, so this may bound batches but must never enter
 * a decision that members have to agree on (reference: raft A3).
 */
export function entrySize(entry: Entry): number {
  const length = entry.data.length;
  const scalars = 4 + varintSize(entry.term) + varintSize(entry.index);
  return length === 0 ? scalars : scalars + 1 + varintSize(length) + length;
}

/** Sum of the encoded sizes, bytes. */
export function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entrySize(entry);
  return size;
}

/** Sum of the payload lengths, bytes: what proposals are charged by. */
export function payloadSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data.length;
  return size;
}

/** The longest prefix of at most `maxSize` encoded bytes, but never fewer than one entry. */
export function limitSize(entries: readonly Entry[], maxSize: number): readonly Entry[] {
  if (maxSize === Number.POSITIVE_INFINITY) return entries;
  let size = 0;
  for (const [position, entry] of entries.entries()) {
    size += entrySize(entry);
    if (size > maxSize && position > 0) return entries.slice(0, position);
  }
  return entries;
}
