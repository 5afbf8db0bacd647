import type { Row } from '../storage/backend/backend.js';
import { isTombstoneKey, mainRevisionOf } from '../storage/mvcc/revision-key.js';
import { KeyHash } from './key-hash.js';
import type { UserKeyOf } from './keyspace.js';

/** What became of a row of the bucket `key` up to a revision. */
export const RowClass = {
  /** Written later than the revision. */
  later: 0,
  /** What a read at the revision sees. */
  live: 1,
  /** A value that a later put replaced. */
  superseded: 2,
  /** A value that a deletion took away, or the deletion itself. */
  deleted: 3,
} as const;

export type RowClass = (typeof RowClass)[keyof typeof RowClass];

const FIRST_CAPACITY = 1024;
/** Slots of the table of keys: 12 bytes each, so 50 MiB. */
const MAX_CAPACITY = 2 ** 22;
/** A table that is fuller than this is doubled. */
const MAX_LOAD = 0.7;
const ROWS_PER_BYTE = 4;

/** The classes of all rows, in the order of the rows, in 2 bits each. */
export class RowClasses {
  #bits = new Uint8Array(1024);
  /** Rows up to the revision. */
  count = 0;

  /** @param ordinal the row's place in the bucket, from 0 */
  of(ordinal: number): RowClass {
    const byte = this.#bits[Math.floor(ordinal / ROWS_PER_BYTE)] ?? 0;
    return ((byte >> ((ordinal % ROWS_PER_BYTE) * 2)) & 3) as RowClass;
  }

  set(ordinal: number, rowClass: RowClass): void {
    const at = Math.floor(ordinal / ROWS_PER_BYTE);
    if (at >= this.#bits.length) {
      const bits = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      bits.set(this.#bits);
      this.#bits = bits;
    }
    const shift = (ordinal % ROWS_PER_BYTE) * 2;
    const byte = this.#bits[at] ?? 0;
    this.#bits[at] = (byte & ~(3 << shift)) | (rowClass << shift);
  }

  get hasLive(): boolean {
    for (let ordinal = 0; ordinal < this.count; ordinal++) {
      if (this.of(ordinal) === RowClass.live) return true;
    }
    return false;
  }
}

/** Keys that are followed in one pass over the rows: those whose hash leaves this remainder. */
interface Share {
  readonly modulus: number;
  readonly remainder: number;
}

/**
 * Finds out what became of every row with a main revision of at most `revision`. Memory is bounded:
 * besides the 2 bits a row, up to 50 MiB for a table of keys. If there are more keys than fit into
 * it, the rows are read again for the rest.
 * @param readRows all rows of the bucket `key`, in order; called once a pass
 */
export async function classifyRows(
  readRows: () => AsyncIterable<readonly Row[]>,
  userKeyOf: UserKeyOf,
  revision: number,
  maxCapacity: number = MAX_CAPACITY,
): Promise<RowClasses> {
  const classes = new RowClasses();
  const shares: Share[] = [{ modulus: 1, remainder: 0 }];
  for (let share = shares.pop(); share !== undefined; share = shares.pop()) {
    const pass = new Pass(classes, share, maxCapacity, (left) => shares.push(left));
    let ordinal = 0;
    reading: for await (const rows of readRows()) {
      for (const row of rows) {
        if (mainRevisionOf(row[0]) > revision) break reading;
        pass.take(ordinal++, isTombstoneKey(row[0]), userKeyOf(row));
      }
    }
    classes.count = ordinal;
  }
  return classes;
}

/** One reading of all rows. */
class Pass {
  readonly #classes: RowClasses;
  readonly #hash = new KeyHash();
  readonly #maxCapacity: number;
  readonly #leaveForLater: (share: Share) => void;
  #share: Share;
  #latest = new LatestRows(FIRST_CAPACITY);

  constructor(
    classes: RowClasses,
    share: Share,
    maxCapacity: number,
    leaveForLater: (share: Share) => void,
  ) {
    this.#classes = classes;
    this.#share = share;
    this.#maxCapacity = maxCapacity;
    this.#leaveForLater = leaveForLater;
  }

  take(ordinal: number, isTombstone: boolean, key: Uint8Array): void {
    this.#hash.update(key);
    const { high, low } = this.#hash;
    if (low % this.#share.modulus !== this.#share.remainder) return;
    const before = this.#latest.replace(high, low, ordinal);
    if (before !== undefined && this.#classes.of(before) === RowClass.live) {
      this.#classes.set(before, isTombstone ? RowClass.deleted : RowClass.superseded);
    }
    this.#classes.set(ordinal, isTombstone ? RowClass.deleted : RowClass.live);
    if (this.#latest.isFull) this.#makeRoom();
  }

  /** Trap: what this pass said of rows that it gives up is said again by the pass that takes them. */
  #makeRoom(): void {
    if (this.#latest.capacity < this.#maxCapacity) {
      this.#latest = this.#latest.copy(this.#latest.capacity * 2, () => true);
      return;
    }
    const { modulus, remainder } = this.#share;
    this.#share = { modulus: modulus * 2, remainder };
    this.#leaveForLater({ modulus: modulus * 2, remainder: remainder + modulus });
    this.#latest = this.#latest.copy(
      this.#latest.capacity,
      (low) => low % this.#share.modulus === remainder,
    );
  }
}

/** The newest row of each key. */
class LatestRows {
  readonly capacity: number;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** Ordinals, plus 1; 0: the slot is empty. */
  readonly #rows: Uint32Array;
  #used = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
    this.#rows = new Uint32Array(capacity);
  }

  get isFull(): boolean {
    return this.#used > this.capacity * MAX_LOAD;
  }

  /** The row of the key until now. */
  replace(high: number, low: number, ordinal: number): number | undefined {
    const mask = this.capacity - 1;
    // The low half decides on the share, so that within one its low bits are the same.
    let slot = high & mask;
    while (this.#rows[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low)) {
      slot = (slot + 1) & mask;
    }
    const before = this.#rows[slot] as number;
    this.#rows[slot] = ordinal + 1;
    if (before !== 0) return before - 1;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#used++;
    return undefined;
  }

  copy(capacity: number, isKept: (low: number) => boolean): LatestRows {
    const copy = new LatestRows(capacity);
    for (let slot = 0; slot < this.capacity; slot++) {
      const row = this.#rows[slot] as number;
      const low = this.#low[slot] as number;
      if (row !== 0 && isKept(low)) copy.replace(this.#high[slot] as number, low, row - 1);
    }
    return copy;
  }
}
