import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import { Entry as WireEntry } from '../../src/proto/gen/raftpb/raft.js';
import { entriesSize, entrySize, limitSize, payloadSize } from '../../src/raft/entry-size.js';
import { RaftError, RaftInvariantError } from '../../src/raft/errors.js';
import { RaftLog } from '../../src/raft/log.js';
import { MemoryStorage } from '../../src/raft/memory-storage.js';
import { entries, entry, snapshot } from './support/entries.js';

const NO_LIMIT = Number.POSITIVE_INFINITY;

function makeLog(
  stable: readonly number[],
  unstable: readonly number[],
  limit = NO_LIMIT,
): RaftLog {
  const storage = new MemoryStorage();
  storage.append(entries(1, ...stable));
  const log = new RaftLog(storage, silentLogger, limit);
  log.append(entries(stable.length + 1, ...unstable));
  return log;
}

describe('the log', () => {
  it('spans storage and unstable entries', () => {
    const log = makeLog([1, 1], [2, 3]);
    expect([log.firstIndex(), log.lastIndex(), log.lastTerm()]).toEqual([1, 4, 3]);
    expect([0, 1, 2, 3, 4, 5].map((index) => log.term(index))).toEqual([0, 1, 1, 2, 3, undefined]);
    expect(log.slice(1, 5, NO_LIMIT)).toEqual(entries(1, 1, 1, 2, 3));
    expect(log.slice(2, 4, NO_LIMIT)).toEqual(entries(2, 1, 2));
    expect(log.slice(3, 3, NO_LIMIT)).toEqual([]);
    expect(log.entries(5, NO_LIMIT)).toEqual([]);
  });

  it('reports what was compacted', () => {
    const storage = new MemoryStorage();
    storage.append(entries(1, 1, 1, 2));
    storage.compact(2);
    const log = new RaftLog(storage, silentLogger, NO_LIMIT);
    expect([log.firstIndex(), log.committed, log.applied]).toEqual([3, 2, 2]);
    expect([1, 2, 3].map((index) => log.term(index))).toEqual([undefined, 1, 2]);
    expect(() => log.slice(2, 4, NO_LIMIT)).toThrow(RaftError);
    expect(() => log.slice(3, 5, NO_LIMIT)).toThrow(RaftInvariantError);
  });

  it('cuts a slice to a size, over the border of storage, but never to nothing', () => {
    const storage = new MemoryStorage();
    const all = Array.from({ length: 6 }, (_, position) => entry(position + 1, 1, 10));
    storage.append(all.slice(0, 3));
    const log = new RaftLog(storage, silentLogger, NO_LIMIT);
    log.append(all.slice(3));
    const one = entrySize(entry(1, 1, 10));
    for (let count = 0; count <= 7; count++) {
      const expected = Math.min(6, Math.max(1, count));
      expect(log.slice(1, 7, count * one)).toHaveLength(expected);
      expect(log.slice(1, 7, count * one + one - 1)).toHaveLength(expected);
    }
  });

  it('compares with another by last term, then by last index', () => {
    const log = makeLog([1, 2], []);
    const cases = [
      [1, 3, true],
      [9, 1, false],
      [1, 2, false],
      [2, 2, true],
      [3, 2, true],
    ] as const;
    for (const [index, term, expected] of cases) {
      expect(log.isUpToDate(index, term), `${index} ${term}`).toBe(expected);
    }
  });

  it('appends what matches and truncates what conflicts', () => {
    const log = makeLog([1, 2, 3], []);
    log.commitTo(1);
    expect(log.maybeAppend(3, 2, entries(4, 4), 3)).toBeUndefined();
    expect(log.maybeAppend(4, 4, [], 3)).toBeUndefined();
    expect(log.maybeAppend(2, 2, entries(3, 3), 2)).toBe(3);
    expect([log.lastIndex(), log.committed]).toEqual([3, 2]);
    expect(log.maybeAppend(2, 2, entries(3, 4, 4), 9)).toBe(4);
    expect([log.lastIndex(), log.lastTerm(), log.committed]).toEqual([4, 4, 4]);
    expect(() => log.maybeAppend(1, 1, entries(2, 5), 1)).toThrow(
      'entry 2 conflict with committed entry [committed(4)]',
    );
  });

  it('does not take back entries that an older append of the same leader lacks', () => {
    const log = makeLog([1], []);
    expect(log.maybeAppend(1, 1, entries(2, 1, 1), 1)).toBe(3);
    expect(log.maybeAppend(1, 1, entries(2, 1), 2)).toBe(2);
    expect([log.lastIndex(), log.committed]).toEqual([3, 2]);
  });

  it('refuses to commit what it does not have', () => {
    const log = makeLog([1], []);
    expect(() => log.commitTo(2)).toThrow(
      'tocommit(2) is out of range [lastIndex(1)]. Was the raft log corrupted, truncated, or lost?',
    );
  });

  it('commits only entries of the term in question', () => {
    const log = makeLog([1, 2], [3]);
    expect(log.maybeCommit(2, 3)).toBe(false);
    expect(log.maybeCommit(3, 3)).toBe(true);
    expect(log.maybeCommit(3, 3)).toBe(false);
  });

  it('finds where logs may still agree', () => {
    const log = makeLog([1, 1, 2, 4, 4], []);
    expect(log.findConflictByTerm(5, 3)).toEqual({ index: 3, term: 2 });
    expect(log.findConflictByTerm(5, 4)).toEqual({ index: 5, term: 4 });
    expect(log.findConflictByTerm(5, 0)).toEqual({ index: 0, term: 0 });
    expect(log.findConflictByTerm(9, 4)).toEqual({ index: 9, term: 0 });
  });

  it('applies unstable entries only if it may', () => {
    const log = makeLog([1], [1, 1]);
    log.commitTo(3);
    expect(log.nextCommittedEntries(true)).toHaveLength(3);
    expect(log.nextCommittedEntries(false)).toHaveLength(1);
    log.acceptApplying(1, 0, false);
    expect(log.hasNextCommittedEntries(false)).toBe(false);
  });

  it('applies nothing while a snapshot is pending', () => {
    const log = makeLog([1], []);
    log.restore(snapshot(5, 2));
    expect([log.committed, log.firstIndex(), log.lastIndex()]).toEqual([5, 6, 5]);
    expect(log.hasNextCommittedEntries(true)).toBe(false);
  });

  it('bounds what is being applied', () => {
    const size = entrySize(entry(1, 1));
    const log = makeLog([1, 1, 1, 1, 1], [], 2 * size);
    log.commitTo(5);
    const first = log.nextCommittedEntries(true);
    expect(first).toHaveLength(2);
    log.acceptApplying(2, entriesSize(first), true);
    expect(log.hasNextCommittedEntries(true)).toBe(false);
    log.appliedTo(1, size);
    expect(log.nextCommittedEntries(true)).toHaveLength(1);
    log.acceptApplying(3, size, true);
    log.appliedTo(3, 2 * size);
    expect(log.nextCommittedEntries(true)).toHaveLength(2);
    expect(() => log.appliedTo(2, 0)).toThrow(RaftInvariantError);
    expect(() => log.appliedTo(6, 0)).toThrow(RaftInvariantError);
  });

  it('behaves as an array of terms does under random appends', () => {
    const append = fc.record({
      previous: fc.nat(12),
      terms: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }),
      stable: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(append, { maxLength: 20 }), (appends) => {
        const log = makeLog([], []);
        let model: number[] = [];
        for (const { previous, terms, stable } of appends) {
          const at = Math.min(previous, model.length);
          const sent = [...terms].sort();
          log.maybeAppend(at, model[at - 1] ?? 0, entries(at + 1, ...sent), 0);
          const conflict = sent.findIndex((term, position) => model[at + position] !== term);
          if (conflict >= 0) model = [...model.slice(0, at + conflict), ...sent.slice(conflict)];
          if (stable && log.unstable.length > 0) {
            const storage = log.storage;
            if (storage instanceof MemoryStorage) storage.append(log.unstable.nextEntries());
            log.unstable.acceptInProgress();
            log.unstable.stableTo(log.lastIndex(), log.lastTerm());
          }
          expect(log.lastIndex()).toBe(model.length);
          expect(log.entries(1, NO_LIMIT)).toEqual(entries(1, ...model));
        }
      }),
    );
  });
});

describe('sizes', () => {
  it('of entries are those of their encoding with scalars always written', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.nat(300), (term, index, length) => {
        const made = entry(index, term, length);
        const encoded = WireEntry.encode({
          Type: made.type,
          Term: term,
          Index: index,
          Data: length > 0 ? made.data : undefined,
        }).finish();
        expect(entrySize(made)).toBe(encoded.length);
      }),
    );
  });

  it('limit a batch to at least one entry', () => {
    const batch = [entry(1, 1, 100), entry(2, 1, 100)];
    expect(limitSize(batch, 0)).toEqual(batch.slice(0, 1));
    expect(limitSize(batch, entriesSize(batch))).toEqual(batch);
    expect(limitSize(batch, entriesSize(batch) - 1)).toEqual(batch.slice(0, 1));
    expect(limitSize([], 0)).toEqual([]);
    expect(payloadSize(batch)).toBe(200);
  });
});
