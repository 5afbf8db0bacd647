/**
 * Runs in a process of its own, which the test kills or starves of disk space.
 * Usage: lmdb-child <directory> <bytes of a value> [defragment]
 *
 * Turn n puts row n into `key` and `lease` and deletes row n - KEPT_ROWS from both; the hook writes
 * n as `consistent_index`. Says `committed <n>` for what it knows to be durable.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { nodeClock } from '../../../src/platform/node-clock.js';
import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { KEPT_ROWS, rowKey } from './lmdb-child-rows.js';

const ROWS_PER_TURN = 7;

async function main(directory: string, valueBytes: number, defragments: boolean): Promise<void> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  const failed: { error?: Error } = {};
  const backend = await LmdbBackend.open({
    directory,
    clock: nodeClock,
    batchIntervalMillis: 3,
    onFatal: (error) => {
      failed.error = error;
    },
  });
  const indexKey = Buffer.from('consistent_index');
  let n = Number(backend.get('meta', indexKey)?.toString() ?? 0);
  backend.setPreCommitHook(() => backend.put('meta', indexKey, Buffer.from(String(n))));
  say(`started ${n}`);
  while (failed.error === undefined) {
    for (let row = 0; row < ROWS_PER_TURN; row++) {
      n++;
      const value = Buffer.alloc(valueBytes, n % 251);
      for (const bucket of ['key', 'lease'] as const) {
        backend.put(bucket, rowKey(n), value);
        backend.delete(bucket, rowKey(n - KEPT_ROWS));
      }
    }
    if (n % (10 * ROWS_PER_TURN) === 0) {
      const sealed = n;
      backend.commit().then(
        () => say(`committed ${sealed}`),
        () => {},
      );
    }
    if (defragments && n % (20 * ROWS_PER_TURN) === 0) {
      void backend.defragment().then(() => say(`defragmented ${n}`));
    }
    await nextTurn();
    await backend.backpressure()?.catch(() => {});
  }
  const later = await backend.commit().then(
    () => 'resolved',
    (error: Error) => error.message,
  );
  const readable = backend.get('key', rowKey(n))?.length === valueBytes;
  const closed = await backend.close().then(
    () => 'resolved',
    () => 'rejected',
  );
  say(`fatal ${JSON.stringify({ message: failed.error.message, later, readable, closed })}`);
}

await main(process.argv[2] ?? '', Number(process.argv[3]), process.argv[4] === 'defragment');
