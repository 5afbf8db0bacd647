import { describe, expect, it } from 'vitest';
import { entrySize } from '../../src/raft/entry-size.js';
import { MemoryStorage } from '../../src/raft/memory-storage.js';
import { EMPTY_CONF_STATE } from '../../src/raft/types.js';
import { entries, entry, snapshot } from './support/entries.js';

const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Entries 4 to 6 after a cut at index 3, term 3. */
function cut(): MemoryStorage {
  const storage = new MemoryStorage();
  storage.applySnapshot(snapshot(3, 3));
  storage.append(entries(4, 4, 5, 6));
  return storage;
}

describe('memory storage', () => {
  it('starts empty at index 0, term 0', () => {
    const storage = new MemoryStorage();
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(0)]).toEqual([1, 0, 0]);
    expect(storage.initialState()).toEqual({ hardState: undefined, confState: EMPTY_CONF_STATE });
  });

  it('answers terms from the cut to the end', () => {
    const storage = cut();
    expect([2, 3, 4, 6, 7].map((index) => storage.term(index))).toEqual([
      undefined,
      3,
      4,
      6,
      undefined,
    ]);
  });

  it('reads entries up to a size, and refuses what it does not hold', () => {
    const storage = cut();
    expect(storage.entries(4, 7, NO_LIMIT)).toEqual(entries(4, 4, 5, 6));
    expect(storage.entries(4, 7, 2 * entrySize(entry(4, 4)))).toEqual(entries(4, 4, 5));
    expect(storage.entries(5, 7, 0)).toEqual(entries(5, 5));
    expect(() => storage.entries(3, 5, NO_LIMIT)).toThrow(
      'requested index is unavailable due to compaction',
    );
    expect(() => storage.entries(4, 8, NO_LIMIT)).toThrow(
      'requested entry at index is unavailable',
    );
  });

  it('appends, overwrites, and skips what was compacted', () => {
    const cases = [
      [entries(7, 6), entries(4, 4, 5, 6, 6)],
      [entries(5, 9), entries(4, 4, 9)],
      [entries(4, 9, 9), entries(4, 9, 9)],
      [entries(2, 9, 9, 9), entries(4, 9)],
      [entries(1, 9, 9), entries(4, 4, 5, 6)],
      [[], entries(4, 4, 5, 6)],
    ] as const;
    for (const [appended, expected] of cases) {
      const storage = cut();
      storage.append(appended);
      expect(storage.entries(4, storage.lastIndex() + 1, NO_LIMIT)).toEqual(expected);
    }
    expect(() => cut().append(entries(8, 6))).toThrow('missing log entry [last: 6, append at: 8]');
  });

  it('compacts, keeping the term at the cut', () => {
    const storage = cut();
    storage.compact(5);
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(5)]).toEqual([6, 6, 5]);
    expect(() => storage.compact(5)).toThrow('requested index is unavailable due to compaction');
    expect(() => storage.compact(7)).toThrow('compact 7 is out of bound lastindex(6)');
    storage.compact(6);
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(6)]).toEqual([7, 6, 6]);
  });

  it('knows the bytes of what it holds', () => {
    const storage = new MemoryStorage();
    const held = (): number => {
      const all = storage.entries(storage.firstIndex(), storage.lastIndex() + 1, NO_LIMIT);
      return all.reduce((bytes, { data }) => bytes + data.length, 0);
    };
    const steps = [
      () => storage.append([entry(1, 1, 10), entry(2, 1, 20), entry(3, 1, 30)]),
      () => storage.append([entry(2, 2, 5), entry(3, 2, 7)]),
      () => storage.append([entry(2, 3, 1)]),
      () => storage.append([entry(3, 3, 40), entry(4, 3, 2)]),
      () => storage.compact(3),
      () => storage.append([entry(2, 3, 99), entry(3, 3, 99), entry(4, 4, 6)]),
      () => storage.applySnapshot(snapshot(9, 5)),
    ];
    const bytes = steps.map((step) => {
      step();
      expect(storage.bytes).toBe(held());
      return storage.bytes;
    });
    expect(bytes).toEqual([60, 22, 11, 53, 2, 6, 0]);
  });

  it('makes snapshots without dropping entries', () => {
    const storage = cut();
    const confState = { ...EMPTY_CONF_STATE, voters: [1n] };
    const made = storage.createSnapshot(5, confState, Buffer.from('data'));
    expect(made).toEqual({ data: Buffer.from('data'), index: 5, term: 5, confState });
    expect(storage.snapshot()).toBe(made);
    expect(storage.firstIndex()).toBe(4);
    expect(() => storage.createSnapshot(5, undefined, Buffer.alloc(0))).toThrow(
      'requested index is older than the existing snapshot',
    );
    expect(storage.createSnapshot(6, undefined, Buffer.alloc(0)).confState).toBe(confState);
    expect(() => storage.createSnapshot(7, undefined, Buffer.alloc(0))).toThrow(
      'snapshot 7 is out of bound lastindex(6)',
    );
  });

  it('refuses a received snapshot that is not newer', () => {
    const storage = cut();
    expect(() => storage.applySnapshot(snapshot(3, 3))).toThrow(
      'requested index is older than the existing snapshot',
    );
    storage.applySnapshot(snapshot(5, 7));
    expect([storage.firstIndex(), storage.lastIndex(), storage.term(5)]).toEqual([6, 5, 7]);
  });
});
