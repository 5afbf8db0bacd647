import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etcdError } from '../../../src/proto/errors.js';
import type { MvccStore } from '../../../src/storage/mvcc/store.js';
import { del, openTestStore, put, type TestStore } from './support.js';

let test: TestStore;
let store: MvccStore;

beforeEach(async () => {
  test = await openTestStore();
  store = test.store;
});

afterEach(() => test.close());

/** `hash/compact_revision`. */
async function hash(revision: number): Promise<string> {
  const result = await store.hashKeyValues(revision);
  return `${result.hash}/${result.compactRevision}`;
}

describe('HashKV', () => {
  it('H1: of an empty store', async () => {
    expect(await hash(0)).toBe('1084519789/-1');
  });

  it('H2: of one put', async () => {
    put(store, 'foo', 'bar');
    expect(await hash(0)).toBe('3305255506/-1');
  });

  it('H3: of two puts in one transaction', async () => {
    const txn = store.write();
    txn.put(Buffer.from('a'), Buffer.from('1'), 0n);
    txn.put(Buffer.from('b'), Buffer.from('2'), 0n);
    txn.end();
    expect(await hash(0)).toBe('2787448889/-1');
  });

  it('H4: before and after a compaction, whose own hash is stored', async () => {
    put(store, 'a', '1');
    put(store, 'a', '2');
    put(store, 'b', '1');
    expect(await hash(0)).toBe('1662700350/-1');
    expect(await hash(3)).toBe('535221974/-1');
    await store.compact(3);
    expect(await hash(0)).toBe('1514356665/3');
    expect(await hash(3)).toBe('535221974/-1');
  });

  it('H5: leaves out a tombstone at exactly the compacted revision', async () => {
    put(store, 'foo', 'bar');
    del(store, 'foo');
    expect(await hash(0)).toBe('2489925301/-1');
    await store.compact(3);
    expect(await hash(3)).toBe('2489925301/-1');
    expect(await hash(0)).toBe('1084519789/3');
  });

  it('H6: covers the lease', async () => {
    put(store, 'a', '1', 7n);
    expect(await hash(0)).toBe('4202119179/-1');
  });

  it('H9: has the bounds of a read', async () => {
    while (store.currentRevision < 10_000) {
      put(store, `k${store.currentRevision % 10}`);
    }
    await store.compact(5000);
    await expect(store.hashKeyValues(10_001)).rejects.toThrow(etcdError('FutureRev'));
    await expect(store.hashKeyValues(4999)).rejects.toThrow(etcdError('Compacted'));
    expect(await store.hashKeyValues(5000)).toMatchObject({
      revision: 5000,
      currentRevision: 10_000,
    });
    expect(await hash(0)).toBe(await hash(10_000));
  });

  it('does not depend on how far a compaction at a lower revision has come', async () => {
    for (let i = 0; i < 5000; i++) {
      put(store, `k${i % 1500}`, `${i}`);
    }
    const compaction = store.compact(2000);
    const during = await hash(0);
    await compaction;
    expect(await hash(0)).toBe(during);
  });

  it('is not disturbed by a compaction decided while it runs', async () => {
    for (let i = 0; i < 5000; i++) {
      put(store, `k${i % 1500}`, `${i}`);
    }
    await store.compact(2000);
    const undisturbed = await hash(3000);
    const running = hash(3000);
    void store.compact(5001);
    put(store, 'k1', 'later');
    expect(await running).toBe(undisturbed);
    await store.whenCompactionsEnd();
  });
});

/** Keys whose value is their number, over a handful of names (vectors H7 and H8). */
function putNumbered(i: number): void {
  const names = ['alice', 'bob', 'celine', 'dominik', 'eve', 'frederica', 'gorge'];
  let key = names[i % 7] ?? '';
  if (i % 71 === 30) {
    key = i % 142 === 30 ? 'zenek' : 'xavery';
  }
  put(store, key, String(i));
}

describe('hashes over many compactions', () => {
  it('H7: compacting between hash and head', async () => {
    const hashes: string[] = [];
    for (let start = 0; start <= 1207; start += 71) {
      for (let i = start; i <= start + 71; i++) {
        putNumbered(i);
      }
      hashes.push(await hash(start + 35));
      await store.compact(start + 35);
    }
    for (let i = 1278; i <= 2488; i++) {
      putNumbered(i);
    }
    hashes.push(await hash(1883));
    expect(hashes.slice(0, 3)).toEqual(['4082599214/-1', '2279933401/35', '3284231217/106']);
    expect(hashes.slice(-2)).toEqual(['1122462288/1171', '724436716/1242']);
  });

  it('H8: compacting at the head', async () => {
    const hashes: string[] = [];
    const hashAndCompact = async (): Promise<void> => {
      const head = store.currentRevision;
      hashes.push(`${await hash(0)}@${head}`);
      await store.compact(head);
    };
    for (let start = 0; start <= 1207; start += 71) {
      for (let i = start; i <= start + 71; i++) {
        putNumbered(i);
      }
      await hashAndCompact();
    }
    for (let i = 1278; i <= 2488; i++) {
      putNumbered(i);
    }
    await hashAndCompact();
    expect(hashes.slice(0, 3)).toEqual([
      '1913897190/-1@73',
      '224860069/73@145',
      '1565167519/145@217',
    ]);
    expect(hashes.slice(-2)).toEqual(['1046575299/1225@1297', '2017735779/1297@2508']);
  });

  it('keeps the ten of the highest revisions', async () => {
    for (let i = 0; i < 15; i++) {
      putNumbered(i);
      await store.compact(store.currentRevision);
    }
    expect(store.compactionHashes.map(({ revision }) => revision)).toEqual([
      7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ]);
  });
});

describe('Hash', () => {
  it('covers all buckets but the marks of the member itself', async () => {
    put(store, 'a', '1');
    const before = await store.hashBackend();
    test.backend.put('meta', Buffer.from('consistent_index'), Buffer.alloc(8, 1));
    test.backend.put('meta', Buffer.from('term'), Buffer.alloc(8, 1));
    test.backend.put('meta', Buffer.from('storageVersion'), Buffer.from('3.7.0'));
    expect(await store.hashBackend()).toBe(before);
    test.backend.put('alarm', Buffer.from('x'), Buffer.alloc(0));
    expect(await store.hashBackend()).not.toBe(before);
  });
});
