import type { Fs } from '../../platform/fs.js';
import type { BackendSnapshot } from '../../storage/backend/backend.js';
import { backendImageSource } from '../../storage/bbolt/backend-image.js';
import { BboltFile } from '../../storage/bbolt/bbolt-file.js';
import type { ImageSource } from '../../storage/bbolt/image.js';
import type { StoredElement } from '../../storage/bbolt/leaf.js';
import { PageUse } from '../../storage/bbolt/page-use.js';
import { ExportError } from './export-error.js';

/** Which etcd an export is for: `3.5` is for all that followed, too. */
export type ExportTarget = '3.4' | '3.5';

/**
 * Rows that would keep an older etcd from starting: versions, on which the members of the exported
 * cluster agree anew, and what 3.4 takes for the sign of a later release (reference: formats 4.5).
 */
const LEFT_OUT: Readonly<Record<ExportTarget, ReadonlySet<string>>> = {
  '3.5': new Set(['meta/storageVersion', 'cluster/clusterVersion', 'cluster/downgrade']),
  '3.4': new Set([
    'meta/storageVersion',
    'meta/term',
    'meta/confState',
    'cluster/clusterVersion',
    'cluster/downgrade',
  ]),
};

/** A backend's state as the database file of an etcd. The snapshot must stay open meanwhile. */
export function exportedImage(snapshot: BackendSnapshot, target: ExportTarget): ImageSource {
  const whole = backendImageSource(snapshot);
  const leftOut = LEFT_OUT[target];
  const isFiltered = (bucket: string) => bucket === 'meta' || bucket === 'cluster';
  function* keptRows(bucket: string) {
    for (const row of whole.rows(bucket)) {
      if (!leftOut.has(`${bucket}/${Buffer.from(row[0]).toString('latin1')}`)) yield row;
    }
  }
  return {
    buckets: whole.buckets,
    rows: (bucket) => (isFiltered(bucket) ? keptRows(bucket) : whole.rows(bucket)),
    visit: (bucket, visit, lengthsOnly) =>
      isFiltered(bucket) ? undefined : whole.visit?.(bucket, visit, lengthsOnly),
  };
}

/**
 * Reads a file back, with all checks of its structure, and compares it row by row with what it was
 * made of: then every hash of it is the same too.
 * @param onProgress told of the bytes read so far, and of those of the file
 * @throws ExportError, BboltError
 */
export async function verifyImage(
  fs: Fs,
  path: string,
  source: ImageSource,
  onProgress: (bytes: number, totalBytes: number) => void,
): Promise<void> {
  const file = await BboltFile.open(fs, path);
  try {
    const use = new PageUse(file.pageCount);
    let bytes = 0;
    const visit: PageUse['visit'] = (page) => {
      use.visit(page);
      bytes += page.bytes.length;
    };
    const buckets: string[] = [];
    for await (const bucket of file.buckets(visit)) {
      const name = bucket.name.toString('latin1');
      buckets.push(name);
      const expected = source.rows(name)[Symbol.iterator]();
      try {
        for await (const rows of file.rows(bucket, visit)) {
          for (const row of rows) requireEqual(row, expected.next(), name);
          onProgress(bytes, file.bytes);
        }
        if (!expected.next().done) throw differs(name);
      } finally {
        expected.return?.();
      }
    }
    if (buckets.join() !== source.buckets.join()) throw differs(buckets.join());
  } finally {
    await file.close();
  }
}

function requireEqual(
  { key, value }: StoredElement,
  { done, value: row }: IteratorResult<readonly [Uint8Array, Uint8Array]>,
  bucket: string,
): void {
  if (done || !key.equals(row[0]) || !value.equals(row[1])) throw differs(bucket);
}

function differs(bucket: string): ExportError {
  return new ExportError(`the written database differs from its source in bucket ${bucket}`);
}
