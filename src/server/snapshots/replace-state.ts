import type { Fs } from '../../platform/fs.js';
import type { Backend, RowBatch } from '../../storage/backend/backend.js';
import { BboltFile } from '../../storage/bbolt/bbolt-file.js';
import { databaseRows } from '../../storage/bbolt/database-rows.js';
import type { MvccStore } from '../../storage/mvcc/store.js';
import type { ConsistentIndex } from '../apply/consistent-index.js';

/** Anything that is loaded from the backend. */
export interface Restorable {
  restore(): void;
}

export interface ReplaceStateParts {
  readonly fs: Fs;
  readonly backend: Backend;
  readonly consistentIndex: ConsistentIndex;
  readonly store: MvccStore;
  readonly lessor: Restorable;
  readonly cluster: Restorable;
  readonly alarms: Restorable;
  readonly auth: Restorable;
  /**
   * Called as soon as the new state is served. Trap: later would be too late for watchers, who would
   * be told of progress to a revision whose events they have not seen.
   */
  readonly onReplaced: () => void;
}

/**
 * Replaces all replicated state by that of a database file, which holds the state at that index. Until
 * the last moment the old state is served; then, in one turn of the event loop, the new one is.
 * Leases come before the keys that hang on them (reference: semantics 3.9).
 * @throws BboltError, DecodeError if the file is damaged; the old state stays
 */
export async function replaceState(
  parts: ReplaceStateParts,
  databasePath: string,
  { index, term }: { readonly index: number; readonly term: number },
): Promise<void> {
  const { fs, backend, consistentIndex, store, lessor, cluster, alarms, auth, onReplaced } = parts;
  await store.stopCompactions();
  const restorer = store.newRestorer();
  const file = await BboltFile.open(fs, databasePath);
  try {
    const rows = watched(databaseRows(file), ({ bucket, rows }) => {
      if (bucket === 'key') for (const [key, value] of rows) restorer.add(key, value);
    });
    await backend.replaceWith(rows, () => {
      consistentIndex.restoreAtLeast(index, term);
      cluster.restore();
      lessor.restore();
      store.adopt(restorer);
      alarms.restore();
      auth.restore();
      onReplaced();
    });
  } finally {
    await file.close();
  }
}

async function* watched(
  rows: AsyncIterable<RowBatch>,
  see: (batch: RowBatch) => void,
): AsyncGenerator<RowBatch> {
  for await (const batch of rows) {
    see(batch);
    yield batch;
  }
}
