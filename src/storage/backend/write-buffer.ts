import type { KeyText } from '../../base/bytes.js';
import { type Bucket, mapBuckets } from './backend.js';
import { SortedRows } from './sorted-rows.js';

/** A buffered value; null: the row is deleted. */
export type BufferedValue = Buffer | null;

/** Writes that LMDB does not hold yet: the last one of each key. */
export class WriteBuffer {
  readonly tables = mapBuckets(() => new SortedRows<BufferedValue>());
  /** Writes taken, those that a later one replaced included. */
  operations = 0;
  /** Bytes of the keys and values taken. */
  bytes = 0;

  set(bucket: Bucket, key: KeyText, value: BufferedValue): void {
    this.tables[bucket].set(key, value);
    this.operations++;
    this.bytes += key.length + (value?.length ?? 0);
  }
}
