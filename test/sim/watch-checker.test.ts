import { describe, expect, it } from 'vitest';
import { KeyspaceModel } from '../support/keyspace-model.js';
import type { ChronicleEntry } from './chronicle.js';
import { Violation } from './violation.js';
import { checkWatch, expectedEvents, type WatchHistory, type WatchNote } from './watch-checker.js';

const model = new KeyspaceModel();
const chronicle: ChronicleEntry[] = [];
for (const key of ['a', 'b', 'a', 'c', 'a']) {
  const value = `${key}${chronicle.length}`;
  const events = model.apply([{ kind: 'put', key, value, lease: 0n }]);
  chronicle.push({ revision: model.currentRevision, events, time: 0 });
}
chronicle.push({
  revision: 7,
  events: model.apply([
    { kind: 'delete', key: 'a' },
    { kind: 'delete', key: 'b' },
  ]),
  time: 0,
});

const range = { key: 'a', end: 'c' };
const all: WatchNote[] = expectedEvents(chronicle, range).map((event) => ({
  kind: 'event',
  ...event,
}));

function check(notes: readonly WatchNote[], startRevision = 2): boolean | string {
  const watch: WatchHistory = { name: 'w', ...range, startRevision, notes };
  try {
    return checkWatch({ chronicle, compactedTo: 4, watch });
  } catch (error) {
    if (error instanceof Violation) return error.rule;
    throw error;
  }
}

describe('a watch stream', () => {
  it('is complete when it told of everything, in order', () => {
    expect(all.map((note) => note.revision)).toEqual([2, 3, 4, 6, 7, 7]);
    expect(check(all)).toBe(true);
  });

  it('is not complete yet when the end is missing', () => {
    expect(check(all.slice(0, 3))).toBe(false);
    expect(check([])).toBe(false);
  });

  it('begins where it was asked to', () => {
    expect(check(all.slice(2), 4)).toBe(true);
    expect(check(all, 3)).toBe('watch streams');
  });

  it('may announce progress that was made', () => {
    const note: WatchNote = { kind: 'progress', revision: 5 };
    expect(check([...all.slice(0, 3), note, ...all.slice(3)])).toBe(true);
    expect(check([...all.slice(0, 2), note, ...all.slice(2)])).toBe('watch streams');
  });

  it('may leave out what was compacted, and nothing else', () => {
    expect(check([{ kind: 'compacted', revision: 4 }, ...all.slice(2)])).toBe(true);
    expect(check([{ kind: 'compacted', revision: 4 }, ...all.slice(3)])).toBe('watch streams');
    expect(check([{ kind: 'compacted', revision: 5 }, ...all.slice(3)])).toBe('watch streams');
  });

  it('tells of nothing twice, of nothing too late and of nothing that was not', () => {
    const [first, second, ...others] = all as [WatchNote, WatchNote, ...WatchNote[]];
    expect(check([first, first, second, ...others])).toBe('watch streams');
    expect(check([second, first, ...others])).toBe('watch streams');
    expect(check([first, ...others])).toBe('watch streams');
    expect(check([...all, { kind: 'event', revision: 8, text: 'DELETE a' }])).toBe('watch streams');
  });
});
