import { beforeEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../src/base/logger.js';
import { silentLogger } from '../../src/base/logger.js';
import { Unstable } from '../../src/raft/unstable.js';
import { entries, entry, snapshot } from './support/entries.js';

let lines: string[] = [];
const logger: Logger = { ...silentLogger, info: (message) => lines.push(message) };

beforeEach(() => {
  lines = [];
});

function unstable(offset: number, ...terms: number[]): Unstable {
  const made = new Unstable(offset, logger);
  for (const each of entries(offset, ...terms)) made.push(each);
  return made;
}

function terms(held: Unstable): string {
  const end = held.offset + held.length;
  return held
    .slice(held.offset, end)
    .map((each) => `${each.index}:${each.term}`)
    .join(' ');
}

describe('unstable entries', () => {
  it('are handed out once', () => {
    const log = unstable(5, 1, 1);
    expect(log.nextEntries()).toHaveLength(2);
    log.acceptInProgress();
    expect(log.hasNextEntries()).toBe(false);
    expect(log.nextEntries()).toEqual([]);
    log.push(entry(7, 1));
    expect(log.nextEntries()).toEqual([entry(7, 1)]);
  });

  it('know the terms and the last index that they hold', () => {
    const log = unstable(5, 1, 2);
    expect([4, 5, 6, 7].map((index) => log.maybeTerm(index))).toEqual([undefined, 1, 2, undefined]);
    expect(log.maybeLastIndex()).toBe(6);
    expect(log.maybeFirstIndex()).toBeUndefined();
    expect(unstable(5).maybeLastIndex()).toBeUndefined();
  });

  it('append after the end', () => {
    const log = unstable(5, 1);
    log.truncateAndAppend(entries(6, 1, 2));
    expect(terms(log)).toBe('5:1 6:1 7:2');
    expect(lines).toEqual([]);
  });

  it('are replaced from their first index, or from before it', () => {
    for (const from of [5, 4]) {
      const log = unstable(5, 1, 1);
      log.acceptInProgress();
      log.truncateAndAppend(entries(from, 2));
      expect(terms(log)).toBe(`${from}:2`);
      expect(log.offsetInProgress).toBe(from);
      expect(lines.splice(0)).toEqual([`replace the unstable entries from index ${from}`]);
    }
  });

  it('are truncated in the middle, and what was in progress there is handed out again', () => {
    const log = unstable(5, 1, 1, 1);
    log.acceptInProgress();
    log.truncateAndAppend(entries(6, 2, 2));
    expect(terms(log)).toBe('5:1 6:2 7:2');
    expect(log.nextEntries()).toEqual(entries(6, 2, 2));
    expect(lines).toEqual(['truncate the unstable entries before index 6']);
  });

  it('do not change arrays that were handed out before', () => {
    const log = unstable(5, 1, 1);
    const handedOut = log.nextEntries();
    const slice = log.slice(5, 7);
    log.truncateAndAppend(entries(6, 2));
    log.push(entry(7, 2));
    expect(handedOut).toEqual(entries(5, 1, 1));
    expect(slice).toEqual(entries(5, 1, 1));
  });

  it('drop what is stable', () => {
    const log = unstable(5, 1, 1, 1);
    log.acceptInProgress();
    log.stableTo(6, 1);
    expect(terms(log)).toBe('7:1');
    expect(log.offsetInProgress).toBe(8);
    expect(lines).toEqual([]);
  });

  it('ignore reports that do not fit', () => {
    const log = unstable(5, 2);
    log.stableTo(6, 2);
    log.stableTo(4, 1);
    log.stableTo(5, 1);
    expect(terms(log)).toBe('5:2');
    expect(lines).toEqual([
      'entry at index 6 missing from unstable log; ignoring',
      'entry at index 4 missing from unstable log; ignoring',
      'entry at (index,term)=(5,1) mismatched with entry at (5,2) in unstable log; ignoring',
    ]);
  });

  it('give way to a snapshot', () => {
    const log = unstable(5, 1, 1);
    log.restore(snapshot(9, 3));
    expect([log.offset, log.offsetInProgress, log.length]).toEqual([10, 10, 0]);
    expect([log.maybeFirstIndex(), log.maybeLastIndex(), log.maybeTerm(9)]).toEqual([10, 9, 3]);
    expect(log.nextSnapshot()?.index).toBe(9);
    log.acceptInProgress();
    expect(log.nextSnapshot()).toBeUndefined();
    log.stableTo(9, 3);
    expect(lines).toEqual(['entry at index 9 matched unstable snapshot; ignoring']);
    log.stableSnapshotTo(8);
    expect(log.snapshot?.index).toBe(9);
    log.stableSnapshotTo(9);
    expect(log.snapshot).toBeUndefined();
    expect(log.maybeFirstIndex()).toBeUndefined();
  });

  it('refuse slices out of their bounds', () => {
    const log = unstable(5, 1, 1);
    expect(() => log.slice(4, 6)).toThrow('out of bound');
    expect(() => log.slice(5, 8)).toThrow('out of bound');
    expect(() => log.slice(6, 5)).toThrow('invalid unstable.slice');
  });
});
