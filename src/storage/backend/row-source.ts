import {
  type BackendSnapshot,
  BUCKETS,
  type Bucket,
  type Row,
  type RowBatch,
  requireStorableKey,
} from './backend.js';

/** Rows that are gathered into one batch. */
const BATCH_ROWS = 1000;
const LOWEST_KEY = Buffer.alloc(1);

/** The contents of a snapshot, which must stay open meanwhile. */
export function* snapshotRows(
  snapshot: BackendSnapshot,
  buckets: readonly Bucket[] = BUCKETS,
): Generator<RowBatch> {
  for (const bucket of buckets) {
    let rows: Row[] = [];
    for (const row of snapshot.range(bucket, LOWEST_KEY)) {
      rows.push(row);
      if (rows.length < BATCH_ROWS) continue;
      yield { bucket, rows };
      rows = [];
    }
    if (rows.length > 0) yield { bucket, rows };
  }
}

/** Rows in a wrong order, which a store that only appends would lose without a word. */
export class RowOrderError extends Error {
  override readonly name = 'RowOrderError';
}

/** Sees that a source keeps to the order it promises. */
export class RowOrderCheck {
  readonly #last = new Map<Bucket, Buffer>();

  /**
   * @throws RowOrderError
   * @throws RangeError for a key that no backend stores
   */
  check({ bucket, rows }: RowBatch): void {
    let last = this.#last.get(bucket);
    for (const [key] of rows) {
      requireStorableKey(key);
      if (last !== undefined && last.compare(key) >= 0) {
        throw new RowOrderError(`the rows of bucket ${bucket} are not in the order of their keys`);
      }
      last = key;
    }
    // A copy, lest one key keep the page that it was read from.
    if (last !== undefined) this.#last.set(bucket, Buffer.from(last));
  }
}
