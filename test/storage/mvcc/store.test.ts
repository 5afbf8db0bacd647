import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { keyText } from '../../../src/base/bytes.js';
import { type LogFields, silentLogger } from '../../../src/base/logger.js';
import { etcdError } from '../../../src/proto/errors.js';
import { KeyValue } from '../../../src/proto/gen/mvccpb/kv.js';
import { snapshotRows } from '../../../src/storage/backend/row-source.js';
import { encodeRevisionKey } from '../../../src/storage/mvcc/revision-key.js';
import type { MvccChange } from '../../../src/storage/mvcc/types.js';
import {
  del,
  get,
  openTestStore,
  put,
  show,
  stateAt,
  TestLeases,
  type TestStore,
} from './support.js';

let opened: TestStore[] = [];

async function open(...args: Parameters<typeof openTestStore>): Promise<TestStore> {
  const test = await openTestStore(...args);
  opened.push(test);
  return test;
}

afterEach(async () => {
  for (const test of opened) {
    await test.close();
  }
  opened = [];
});

async function threeFoos(): Promise<TestStore> {
  const test = await open();
  for (const key of ['foo', 'foo1', 'foo2']) {
    put(test.store, key);
  }
  return test;
}

describe('put', () => {
  it('M1: an empty store is at revision 1', async () => {
    const { store } = await open();
    expect([store.currentRevision, store.compactRevision]).toEqual([1, -1]);
    expect(get(store, 'a')).toEqual([]);
  });

  it('M2: each put is a revision and a version, with the lease it was given', async () => {
    const { store } = await open();
    for (let i = 1; i <= 10; i++) {
      expect(put(store, 'foo', 'bar', BigInt(i))).toBe(i + 1);
      expect(get(store, 'foo')).toMatchObject([
        { createRevision: 2, modRevision: i + 1, version: i, lease: BigInt(i) },
      ]);
    }
  });

  it('M4: a key put after a deletion starts anew', async () => {
    const { store } = await open();
    for (let i = 0; i < 10; i++) {
      expect(put(store, 'foo')).toBe(2 * i + 2);
      expect(show(get(store, 'foo'))).toEqual([`foo=(${2 * i + 2},${2 * i + 2},1)`]);
      expect(del(store, 'foo')).toEqual({ deleted: 1, rev: 2 * i + 3 });
      expect(get(store, 'foo', '', 2 * i + 3)).toEqual([]);
      expect(store.currentRevision).toBe(2 * i + 3);
    }
  });

  it('moves a key from lease to lease', async () => {
    const { store, leases } = await open();
    put(store, 'k', '', 1n);
    put(store, 'k', '', 1n);
    expect(leases.leaseOf('k')).toBe(1n);
    put(store, 'k', '', -2n);
    expect(leases.leaseOf('k')).toBe(-2n);
    put(store, 'k');
    expect(leases.leaseOf('k')).toBe(0n);
    put(store, 'k', '', 3n);
    del(store, 'k');
    expect(leases.leaseOf('k')).toBe(0n);
  });
});

describe('delete', () => {
  it('M3: deleting what is gone uses no revision', async () => {
    const { store } = await open();
    put(store, 'foo');
    expect(del(store, 'foo')).toEqual({ deleted: 1, rev: 3 });
    for (let i = 0; i < 10; i++) {
      expect(del(store, 'foo')).toEqual({ deleted: 0, rev: 3 });
    }
  });

  it.each([
    ['foo', 'foo1', 1, 5],
    ['foo', 'foo2', 2, 5],
    ['foo', 'foo3', 3, 5],
    ['foo3', 'foo8', 0, 4],
    ['foo3', '', 0, 4],
    ['foo2', 'foo', 0, 4],
    ['foo1', '\0', 2, 5],
  ])('M5: %s to %s', async (key, end, deleted, rev) => {
    const { store } = await threeFoos();
    expect(del(store, key, end)).toEqual({ deleted, rev });
    expect(store.currentRevision).toBe(rev);
  });
});

describe('reading', () => {
  it('M6: sees the store as it was', async () => {
    const { store } = await threeFoos();
    const keys = (rev: number): string[] => get(store, 'foo', 'foo3', rev).map((kv) => `${kv.key}`);
    expect(keys(2)).toEqual(['foo']);
    expect(keys(3)).toEqual(['foo', 'foo1']);
    for (const rev of [4, 0, -1]) {
      expect(keys(rev)).toEqual(['foo', 'foo1', 'foo2']);
    }
    expect(get(store, 'foo', 'foo')).toEqual([]);
  });

  it('M7: refuses what is compacted or not yet there', async () => {
    const { store } = await threeFoos();
    void store.compact(4);
    for (const rev of [1, 2, 3]) {
      expect(() => get(store, 'foo', '', rev)).toThrow(etcdError('Compacted'));
    }
    for (const rev of [-1, 0, 4]) {
      expect(get(store, 'foo', '', rev)).toHaveLength(1);
    }
    for (const rev of [5, 100]) {
      expect(() => get(store, 'foo', '', rev)).toThrow(etcdError('FutureRev'));
    }
  });

  it('M11: a write transaction reads what it wrote, at its own revision', async () => {
    const { store } = await open();
    put(store, 'other');
    const txn = store.write();
    expect(txn.revision).toBe(2);
    expect(txn.put(Buffer.from('foo'), Buffer.from('bar'), 0n)).toBe(3);
    expect(txn.revision).toBe(3);
    expect(txn.select('foo', '', txn.revision, 0)).toEqual([
      { key: 'foo', main: 3, sub: 0, created: 3, version: 1 },
    ]);
    expect(txn.count('a', '\0', 3)).toBe(2);
    expect(txn.count('a', '\0', 2)).toBe(1);
    expect(txn.deleteRange('foo', '')).toBe(1);
    expect(txn.revision).toBe(3);
    expect(txn.select('foo', '', txn.revision, 0)).toEqual([]);
    txn.end();
    expect(store.currentRevision).toBe(3);
  });

  it('counts a range at the newest and at an old revision', async () => {
    const { store } = await threeFoos();
    del(store, 'foo1');
    const { reader } = store;
    expect(reader.count('foo', 'foo2', 5)).toBe(1);
    expect(reader.count('foo', 'foo2', 4)).toBe(2);
    expect(reader.count('foo', '\0', 5)).toBe(2);
    expect(reader.count('foo3', 'foo', 5)).toBe(0);
    expect(reader.count('foo1', '', 5)).toBe(0);
    expect(reader.count('foo1', '', 4)).toBe(1);
  });

  it('refuses a second write transaction while one is open', async () => {
    const { store } = await open();
    const txn = store.write();
    expect(() => store.write()).toThrow('a write transaction is open already');
    txn.end();
    const ended = 'the write transaction has ended';
    expect(() => txn.put(Buffer.from('k'), Buffer.from('v'), 0n)).toThrow(ended);
    expect(() => txn.end()).toThrow(ended);
    store.write().end();
  });
});

describe('compact', () => {
  it('M9: keeps what is readable at or above the compacted revision', async () => {
    const { store } = await open();
    put(store, 'foo', 'bar0');
    put(store, 'foo', 'bar1');
    del(store, 'foo');
    put(store, 'foo', 'bar2');
    const expected = new Map([
      [1, [2, 'foo=bar0(2,2,1)']],
      [2, [3, 'foo=bar1(2,3,2)']],
      [3, [4]],
      [4, [5, 'foo=bar2(5,5,1)']],
    ] as const);
    for (const [at, [rev, ...state]] of expected) {
      await store.compact(at);
      expect(show(get(store, 'foo', '', rev)), `compacted at ${at}`).toEqual(state);
    }
  });

  it('M10: accepts each revision once, 0 included, up to the current one', async () => {
    const { store } = await open();
    for (let i = 0; i < 3; i++) {
      put(store, 'foo');
    }
    void store.compact(0);
    void store.compact(1);
    expect(() => store.compact(1)).toThrow(etcdError('Compacted'));
    void store.compact(4);
    expect(() => store.compact(5)).toThrow(etcdError('FutureRev'));
    expect(() => store.compact(100)).toThrow(etcdError('FutureRev'));
    await store.whenCompactionsEnd();
    expect(show(get(store, 'foo'))).toEqual(['foo=(2,4,3)']);
  });

  it('M15: a compaction changes no state from its revision on, a restart neither', async () => {
    const first = await open();
    for (let i = 1; i <= 5; i++) {
      put(first.store, `foo${i}`);
    }
    del(first.store, 'foo1');
    await first.store.compact(7);
    put(first.store, 'foo6');
    const before = [7, 8].map((rev) => stateAt(first.store, rev));
    const { store } = await first.restart();
    expect(store.currentRevision).toBe(8);
    expect([7, 8].map((rev) => stateAt(store, rev))).toEqual(before);
    expect(before[0]).toHaveLength(4);
  });

  it('M16: remembers a revision all of whose rows are gone', async () => {
    const first = await open();
    for (let i = 0; i < 3; i++) {
      put(first.store, 'foo');
    }
    del(first.store, 'foo');
    await first.store.compact(5);
    const { store } = await first.restart();
    expect(store.currentRevision).toBe(5);
    expect(get(store, 'foo')).toEqual([]);
  });

  it('says what a compaction did', async () => {
    const lines: unknown[] = [];
    const info = (message: string, fields?: LogFields) => lines.push([message, fields]);
    const { store } = await open({ logger: { ...silentLogger, info } });
    for (let count = 0; count < 10; count++) put(store, 'k', `${count}`);
    await store.compact(8);
    const { hash } = await store.hashKeyValues(8);
    expect(lines).toEqual([
      [
        'finished scheduled compaction',
        {
          'compact-revision': 8,
          took: expect.stringMatching(/^[\d.]+(µs|ms|s)$/),
          'number-of-keys-compacted': 6,
          hash,
          'current-db-size-bytes': expect.any(Number),
          'current-db-size': expect.stringMatching(/B$/),
          'current-db-size-in-use-bytes': expect.any(Number),
          'current-db-size-in-use': expect.stringMatching(/B$/),
        },
      ],
    ]);
  });

  it('M17: goes on with a compaction that was scheduled before a restart', async () => {
    const first = await open();
    for (let i = 0; i < 3; i++) {
      put(first.store, 'foo');
    }
    const meta = (name: string): Buffer => Buffer.from(name);
    first.backend.put('meta', meta('scheduledCompactRev'), encodeRevisionKey(2, 0));
    const { store, backend } = await first.restart();
    expect(() => get(store, 'foo', '', 1)).toThrow(etcdError('Compacted'));
    await store.whenCompactionsEnd();
    expect(backend.get('meta', meta('finishedCompactRev'))).toEqual(encodeRevisionKey(2, 0));
    // The rows at 2, 3, 4 are all still needed: nothing replaced the one at 2 by then.
    expect([...backend.range('key', Buffer.alloc(1))]).toHaveLength(3);
  });

  it('is at least at the revision of a compaction whose last rows an older server deleted', async () => {
    for (const name of ['scheduledCompactRev', 'finishedCompactRev']) {
      const first = await open();
      put(first.store, 'foo');
      first.backend.put('meta', Buffer.from(name), encodeRevisionKey(9, 0));
      const { store } = await first.restart();
      expect([store.compactRevision, store.currentRevision]).toEqual([9, 9]);
      expect(put(store, 'bar')).toBe(10);
    }
  });

  it('M18: takes the current revision from the last row, the compacted one from its mark', async () => {
    const first = await open();
    const { backend } = first;
    for (const name of ['scheduledCompactRev', 'finishedCompactRev']) {
      backend.put('meta', Buffer.from(name), encodeRevisionKey(3, 0));
    }
    // KeyValue{key foo, create 3, mod 3, version 1} and the tombstone KeyValue{key foo}.
    backend.put('key', encodeRevisionKey(3, 0), Buffer.from('0a03666f6f100318032001', 'hex'));
    backend.put('key', encodeRevisionKey(5, 0, true), Buffer.from('0a03666f6f', 'hex'));
    const { store } = await first.restart();
    expect([store.compactRevision, store.currentRevision]).toEqual([3, 5]);
    expect(show(get(store, 'foo', '', 4))).toEqual(['foo=(3,3,1)']);
    expect(get(store, 'foo', '', 5)).toEqual([]);
  });

  it('deletes in batches, over several turns, while the store is written to', async () => {
    const { store, backend } = await open({ compactionBatchLimit: 7 });
    for (let i = 0; i < 100; i++) {
      put(store, `k${i % 10}`, `${i}`);
    }
    const compaction = store.compact(91);
    put(store, 'k0', 'during');
    expect(() => stateAt(store, 90)).toThrow(etcdError('Compacted'));
    const during = stateAt(store, 91);
    await compaction;
    expect(stateAt(store, 91)).toEqual(during);
    // One row a key at 91, then 92 to 102.
    expect([...backend.range('key', Buffer.alloc(1))]).toHaveLength(10 + 11);
  });

  it('lets every turn read right and write while thousands of keys are compacted', async () => {
    const { store } = await open();
    const keyOf = (i: number): string => `k${String(i).padStart(5, '0')}`;
    for (let round = 0; round < 3; round++) {
      for (let i = round; i < 2400; i += round + 1) {
        put(store, keyOf(i), `${round}`);
      }
    }
    del(store, keyOf(1000), keyOf(1800));
    put(store, keyOf(1500), 'again');
    const at = store.currentRevision;
    const expected = stateAt(store, at);
    let isDone = false;
    void store.compact(at).then(() => {
      isDone = true;
    });
    for (let turn = 0; !isDone; turn++) {
      await nextTurn();
      put(store, keyOf(turn * 7), 'during');
      del(store, keyOf(turn * 11), keyOf(turn * 11 + 5));
      expect(stateAt(store, at)).toEqual(expected);
      expect(store.reader.count('k', 'l', at)).toBe(expected.length);
      expect(store.reader.count('k', 'l', store.currentRevision)).toBe(get(store, 'k', 'l').length);
    }
    expect(stateAt(store, at)).toEqual(expected);
  });

  it('runs one after another what was decided in one turn', async () => {
    const { store, backend } = await open({ compactionBatchLimit: 3 });
    for (let i = 0; i < 30; i++) {
      put(store, `k${i % 3}`);
    }
    const compactions = [5, 10, 31].map((revision) => store.compact(revision));
    await Promise.all(compactions);
    expect([...backend.range('key', Buffer.alloc(1))]).toHaveLength(3);
    expect(store.compactionHashes.map(({ revision }) => revision)).toEqual([5]);
  });

  it('is told to stop by close and goes on at the next start', async () => {
    const first = await open({ compactionBatchLimit: 2 });
    for (let i = 0; i < 50; i++) {
      put(first.store, 'k');
    }
    const physical = first.store.compact(51);
    const stopped = expect(physical).rejects.toThrow(etcdError('Stopped'));
    const { store, backend } = await first.restart();
    await stopped;
    expect(() => get(store, 'k', '', 50)).toThrow(etcdError('Compacted'));
    await store.whenCompactionsEnd();
    expect([...backend.range('key', Buffer.alloc(1))]).toHaveLength(1);
  });

  it('tells its owner when the backend fails', async () => {
    const failures: Error[] = [];
    const { store, backend } = await open({ onFatal: (error) => failures.push(error) });
    put(store, 'k');
    backend.commit = () => Promise.reject(new Error('disk on fire'));
    await expect(store.compact(2)).rejects.toThrow('disk on fire');
    expect(failures.map((error) => error.message)).toEqual(['disk on fire']);
  });
});

describe('changes', () => {
  it('are announced whole, once the revision can be read', async () => {
    const { store } = await open();
    const seen: [MvccChange, number][] = [];
    store.setChangeListener((change) => seen.push([change, store.currentRevision]));
    put(store, 'a', '1');
    const txn = store.write();
    txn.put(Buffer.from('b'), Buffer.from('2'), 0n);
    txn.deleteRange('a', '');
    txn.end();
    store.write().end();
    expect(seen.map(([{ revision }, current]) => [revision, current])).toEqual([
      [2, 2],
      [3, 3],
    ]);
    const [, [change] = [undefined]] = seen;
    expect(change?.events).toMatchObject([
      { isDelete: false, key: 'b', isCreate: true, modRevision: 3 },
      { isDelete: true, key: 'a', isCreate: false, modRevision: 3 },
    ]);
    expect(change?.events[1]?.keyValue.toString('hex')).toBe('0a01611803');
  });

  it('can be read again from any revision, equal to what was announced', async () => {
    const { store } = await open();
    const announced: MvccChange[] = [];
    store.setChangeListener((change) => announced.push(change));
    put(store, 'a', '1');
    put(store, 'a', '2', 9n);
    del(store, 'a');
    const txn = store.write();
    txn.put(Buffer.from('a'), Buffer.from('3'), 0n);
    txn.put(Buffer.from('b'), Buffer.alloc(0), 0n);
    txn.end();
    for (let from = 0; from <= 6; from++) {
      expect([...store.changesFrom(from)]).toEqual(announced.filter((c) => c.revision >= from));
    }
  });

  it('have previous values until these are compacted', async () => {
    const { store } = await open();
    put(store, 'a', '1');
    put(store, 'a', '2');
    put(store, 'a', '3');
    const valueAt = (revision: number): string | undefined => {
      const bytes = store.keyValueAt('a', revision);
      return bytes && KeyValue.decode(bytes).value.toString();
    };
    expect([1, 2, 3, 4].map(valueAt)).toEqual([undefined, '1', '2', '3']);
    void store.compact(3);
    expect([1, 2, 3, 4].map(valueAt)).toEqual([undefined, undefined, '2', '3']);
  });
});

describe('opening', () => {
  it('attaches keys to the leases that still exist', async () => {
    const first = await open({ leases: new TestLeases([1n, 2n]) });
    put(first.store, 'a', '', 1n);
    put(first.store, 'b', '', 2n);
    put(first.store, 'c', '', 2n);
    put(first.store, 'd', '', 3n);
    put(first.store, 'b');
    del(first.store, 'c');
    const { store, leases } = await first.restart();
    expect([...leases.keys]).toEqual([['a', 1n]]);
    expect(get(store, 'd')[0]?.lease).toBe(3n);
  });

  it('reports its progress', async () => {
    const first = await open();
    for (let i = 0; i < 2001; i++) {
      put(first.store, 'k');
    }
    await first.close();
    const progress: number[] = [];
    await open({
      disk: first.backend.disk,
      onRestoreProgress: (rows) => progress.push(rows),
    });
    expect(progress).toEqual([2000, 2001]);
  });

  it('refuses a row that is no KeyValue, and says which', async () => {
    const first = await open();
    first.backend.put('key', encodeRevisionKey(2, 0), Buffer.from([0x0a, 0x7f]));
    await first.close();
    await expect(openTestStore({ disk: first.backend.disk })).rejects.toThrow(
      /the row of revision 2\/0 in the bucket key can't be read: .*truncated/,
    );
  });

  it('goes over to contents that replace those of its backend', async () => {
    const { store, backend } = await open();
    put(store, 'old');
    const old = store.reader;
    const other = await open();
    put(other.store, 'new1');
    put(other.store, 'new2');
    const view = await other.backend.snapshot();
    await store.stopCompactions();
    const restorer = store.newRestorer();
    for (const [key, value] of view.range('key', Buffer.alloc(1))) restorer.add(key, value);
    expect(store.reader).toBe(old);
    await backend.replaceWith(snapshotRows(view), () => store.adopt(restorer));
    view.close();
    expect(get(store, '\0', '\0').map((kv) => keyText(kv.key))).toEqual(['new1', 'new2']);
    expect(store.currentRevision).toBe(3);
    await store.compact(2);
    put(store, 'new3');
    expect(store.currentRevision).toBe(4);
  });
});
