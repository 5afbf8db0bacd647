import {
  BUCKETS,
  type Bucket,
  MAX_KEY_BYTES,
  type Row,
  type RowBatch,
} from '../backend/backend.js';
import { BboltError } from './bbolt-error.js';
import type { BboltBucket, BboltFile } from './bbolt-file.js';
import type { StoredElement } from './leaf.js';

/** How far the reading of a file has come. */
export interface ReadProgress {
  /** Pairs read so far. */
  readonly rows: number;
  /** Bytes of the pages read so far; at most {@link BboltFile.bytes}, less those of free pages. */
  readonly bytes: number;
}

export interface DatabaseRowsOptions {
  /** Called after every leaf. */
  readonly onProgress?: (progress: ReadProgress) => void;
  /**
   * Called with the name of a bucket that no etcd from 3.4 to 3.7 knows (reference: formats 4.1),
   * and which is left out.
   */
  readonly onUnknownBucket?: (name: string) => void;
  /** Called with every pair before it is handed on; what it throws ends the reading. */
  readonly inspect?: (bucket: Bucket, element: StoredElement) => void;
}

/**
 * The contents of an etcd's database file, for a backend of ours to take over. Everything that is
 * read is checked as {@link BboltFile} does; buckets that are missing are empty.
 * @throws BboltError also for a key that is longer than ours may be
 */
export async function* databaseRows(
  file: BboltFile,
  { onProgress = () => {}, onUnknownBucket = () => {}, inspect }: DatabaseRowsOptions = {},
): AsyncGenerator<RowBatch> {
  let rows = 0;
  let bytes = 0;
  const visit = (page: { readonly bytes: Uint8Array }): void => {
    bytes += page.bytes.length;
  };
  for await (const stored of file.buckets(visit)) {
    const bucket = bucketOf(stored);
    if (bucket === undefined) {
      onUnknownBucket(stored.name.toString('latin1'));
      continue;
    }
    for await (const elements of file.rows(stored, visit)) {
      if (inspect !== undefined) for (const element of elements) inspect(bucket, element);
      const batch = elements.map(({ key, value }): Row => [key, value]);
      const long = elements.find(({ key }) => key.length > MAX_KEY_BYTES);
      if (long !== undefined) throw tooLong(file, bucket, long);
      rows += batch.length;
      yield { bucket, rows: batch };
      onProgress({ rows, bytes });
    }
  }
}

function bucketOf({ name }: BboltBucket): Bucket | undefined {
  const text = name.toString('latin1');
  return BUCKETS.find((bucket) => bucket === text);
}

/** Trap: bbolt takes keys of 32,768 bytes; only names of users and roles can be so long. */
function tooLong(file: BboltFile, bucket: Bucket, { key, offset }: StoredElement): BboltError {
  const start = key.subarray(0, 32).toString('latin1');
  const reason = `bucket ${bucket} has a key of ${key.length} bytes ("${start}..."), at most ${MAX_KEY_BYTES} can be stored here`;
  return new BboltError({ file: file.path, offset }, reason);
}
