import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { nodeClock } from '../../../src/platform/node-clock.js';
import type { Backend } from '../../../src/storage/backend/backend.js';
import { LmdbBackend } from '../../../src/storage/backend/lmdb.js';
import { MemoryBackend } from '../../../src/storage/backend/memory.js';
import { MvccStore } from '../../../src/storage/mvcc/store.js';
import { tempDir } from '../../support/temp-dir.js';
import { del, put, stateAt, storeOptions, TestLeases } from './support.js';

const KEYS = 40;
const CHANGES = 3000;

function openStore(backend: Backend): Promise<MvccStore> {
  const options = storeOptions(backend, new TestLeases());
  return MvccStore.open({ ...options, clock: nodeClock, compactionSleepMillis: 0 });
}

/** Writes the same to whatever store, with a turn now and then so that batches end. */
async function write(store: MvccStore, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const key = `key-${(i * 7919) % KEYS}`;
    if (i % 5 === 4) {
      del(store, key, i % 10 === 9 ? `${key}~` : '');
    } else {
      put(store, key, `value ${i}`.repeat(i % 7), i % 3 === 0 ? BigInt(i % 4) : 0n);
    }
    if (i % 500 === 0) {
      await nextTurn();
    }
  }
}

/**
 * What can be seen of a store: its state and hash at some revisions. Not at the compacted one: the
 * hash stored for it does not survive a restart.
 */
async function observe(store: MvccStore): Promise<unknown[]> {
  const { currentRevision, compactRevision } = store;
  const seen: unknown[] = [currentRevision, compactRevision];
  for (let rev = Math.max(1, compactRevision + 1); rev <= currentRevision; rev += 97) {
    seen.push(stateAt(store, rev), await store.hashKeyValues(rev));
  }
  return seen;
}

it('stores in LMDB what it stores in memory, over compactions and restarts', async () => {
  const directory = await tempDir();
  const memory = await openStore(new MemoryBackend());
  let backend = await LmdbBackend.open({ directory, clock: nodeClock });
  let lmdb = await openStore(backend);
  for (const store of [memory, lmdb]) {
    await write(store, 0, CHANGES);
  }
  expect(await observe(lmdb)).toEqual(await observe(memory));
  for (const store of [memory, lmdb]) {
    const compaction = store.compact(1500);
    await write(store, CHANGES, CHANGES + 200);
    await compaction;
  }
  const compacted = await observe(memory);
  expect(await observe(lmdb)).toEqual(compacted);
  await lmdb.close();
  await backend.close();
  backend = await LmdbBackend.open({ directory, clock: nodeClock });
  lmdb = await openStore(backend);
  expect(await observe(lmdb)).toEqual(compacted);
  expect([...lmdb.changesFrom(1501)]).toEqual([...memory.changesFrom(1501)]);
  for (const store of [memory, lmdb]) {
    await store.close();
  }
  await backend.close();
});
