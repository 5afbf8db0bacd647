import type { Database, RangeOptions, Transaction } from 'lmdb';
import type { KeyText } from '../../base/bytes.js';
import {
  type BackendSnapshot,
  type Bucket,
  isStorableKey,
  type Row,
  type RowVisitor,
} from './backend.js';
import type { LmdbRowPages } from './lmdb-row-pages.js';

/** A named database of LMDB, with the options of its methods that are missing in its types. */
export type LmdbTable = Database<Buffer, KeyText | Uint8Array> & {
  getBinaryFast(key: Uint8Array, options?: { transaction?: Transaction }): Buffer | undefined;
  put(key: Uint8Array, value: Buffer, options: { append: boolean }): Promise<boolean>;
};
export type LmdbTables = Readonly<Record<Bucket, LmdbTable>>;

const LOWEST_KEY = Buffer.alloc(1);

/**
 * Reads of one LMDB environment: of its newest committed state, or, given a read transaction, of
 * the state that the transaction holds.
 */
export class LmdbView implements BackendSnapshot {
  readonly #tables: LmdbTables;
  readonly #pages: LmdbRowPages | undefined;
  readonly #transaction: Transaction | undefined;
  readonly #onClose: () => void;
  /** Iterations under way: LMDB crashes if a transaction ends before its cursors are closed. */
  readonly #iterators = new Set<Iterator<unknown>>();
  #closed = false;

  /** @param pages what the transaction holds, for reading whole tables */
  constructor(
    tables: LmdbTables,
    transaction: Transaction | undefined,
    onClose: () => void,
    pages?: LmdbRowPages,
  ) {
    this.#tables = tables;
    this.#pages = pages;
    this.#transaction = transaction;
    this.#onClose = onClose;
  }

  get(bucket: Bucket, key: Uint8Array): Buffer | undefined {
    this.#requireOpen();
    if (!isStorableKey(key)) {
      return undefined;
    }
    const table = this.#tables[bucket];
    const bytes =
      this.#transaction === undefined
        ? table.getBinaryFast(key)
        : table.getBinaryFast(key, { transaction: this.#transaction });
    return bytes && copyBytes(bytes);
  }

  *range(
    bucket: Bucket,
    start: Uint8Array,
    end?: Uint8Array,
    limit = Number.POSITIVE_INFINITY,
  ): Generator<Row> {
    this.#requireOpen();
    if (end?.length === 0) {
      // LMDB takes an empty end for none.
      return;
    }
    const options: RangeOptions = { start, limit };
    if (end !== undefined) {
      options.end = end;
    }
    if (this.#transaction !== undefined) {
      options.transaction = this.#transaction;
    }
    const iterator = this.#tables[bucket].getRange(options)[Symbol.iterator]();
    this.#iterators.add(iterator);
    try {
      for (let next = iterator.next(); !next.done; next = iterator.next()) {
        yield [next.value.key as Buffer, next.value.value];
        this.#requireOpen();
      }
    } finally {
      this.#iterators.delete(iterator);
      iterator.return?.();
    }
  }

  *scan(bucket: Bucket): Generator<Row> {
    this.#requireOpen();
    yield* this.#whileOpen(this.#pages?.rows(bucket) ?? this.range(bucket, LOWEST_KEY));
  }

  visit(bucket: Bucket, visit: RowVisitor, lengthsOnly: boolean): Iterable<void> | undefined {
    this.#requireOpen();
    return this.#pages && this.#whileOpen(this.#pages.visit(bucket, visit, lengthsOnly));
  }

  /** Ends the iterations under way; their next step throws. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    for (const iterator of this.#iterators) {
      iterator.return?.();
    }
    this.#iterators.clear();
    this.#transaction?.done();
    this.#onClose();
  }

  *#whileOpen<T>(steps: Iterable<T>): Generator<T, void> {
    for (const step of steps) {
      yield step;
      // Trap: once the transaction has ended, its pages are written again.
      this.#requireOpen();
    }
  }

  #requireOpen(): void {
    if (this.#closed) {
      throw new Error('the backend or its snapshot is closed');
    }
  }
}

/**
 * A copy that the receiver may keep. `bytes` is a buffer that lmdb-js uses again and again: its
 * `length` is the length of the value while `byteLength` is that of the whole buffer.
 */
export function copyBytes(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  const copy = Buffer.allocUnsafe(length);
  copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset, length));
  return copy;
}
