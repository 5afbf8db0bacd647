import { describe, expect, it } from 'vitest';
import { KeyIndex } from '../../../src/storage/mvcc/key-index.js';

/** Generations {2,4,6t}{8,10,12t}{14,15.1,16t} of one key (vectors M12 and M13). */
function threeLives(): KeyIndex {
  const index = new KeyIndex();
  index.put('k', 2, 0);
  index.put('k', 4, 0);
  index.tombstone('k', 6, 0);
  index.put('k', 8, 0);
  index.put('k', 10, 0);
  index.tombstone('k', 12, 0);
  index.put('k', 14, 0);
  index.put('k', 15, 1);
  index.tombstone('k', 16, 0);
  return index;
}

/** Compacts the whole index, `chunk` keys a step. */
function compact(index: KeyIndex, atRevision: number, chunk = 3): boolean {
  let anyRetained = false;
  for (let next: string | undefined = ''; next !== undefined; ) {
    const step = index.compactChunk(next, atRevision, chunk);
    anyRetained ||= step.anyRetained;
    next = step.next;
  }
  return anyRetained;
}

function revisionsOf(index: KeyIndex, key: string): string[] {
  const generations = index.historyOf(key)?.generations ?? [];
  return generations.flatMap(({ revisions }) =>
    revisions.flatMap((main, i) => (i % 2 === 0 ? [`${main}.${revisions[i + 1]}`] : [])),
  );
}

describe('get', () => {
  it('finds the revision visible at any revision (M12)', () => {
    const index = threeLives();
    compact(index, 4);
    for (const at of [17, 16, 13, 12, 7, 6, 3, 2, 1, 0]) {
      expect(index.get('k', at), `at ${at}`).toBeUndefined();
    }
    const visible = (at: number): unknown => ({ ...index.get('k', at) });
    expect(visible(15)).toEqual({ main: 15, sub: 1, created: 14, version: 2 });
    expect(visible(14)).toEqual({ main: 14, sub: 0, created: 14, version: 1 });
    expect(visible(11)).toEqual({ main: 10, sub: 0, created: 8, version: 2 });
    expect(visible(10)).toEqual({ main: 10, sub: 0, created: 8, version: 2 });
    expect(visible(9)).toEqual({ main: 8, sub: 0, created: 8, version: 1 });
    expect(visible(8)).toEqual({ main: 8, sub: 0, created: 8, version: 1 });
    expect(visible(5)).toEqual({ main: 4, sub: 0, created: 2, version: 2 });
    expect(visible(4)).toEqual({ main: 4, sub: 0, created: 2, version: 2 });
  });

  it('knows nothing of an absent key', () => {
    expect(new KeyIndex().get('k', 9)).toBeUndefined();
    expect(new KeyIndex().tombstone('k', 9, 0)).toBe(false);
  });
});

describe('compact (M13)', () => {
  const cases: [at: number, kept: string | undefined, left: string[]][] = [
    [1, undefined, ['2.0', '4.0', '6.0', '8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [2, '2.0', ['2.0', '4.0', '6.0', '8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [3, '2.0', ['2.0', '4.0', '6.0', '8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [4, '4.0', ['4.0', '6.0', '8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [5, '4.0', ['4.0', '6.0', '8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [6, '6.0', ['6.0', '8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [7, undefined, ['8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [8, '8.0', ['8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [9, '8.0', ['8.0', '10.0', '12.0', '14.0', '15.1', '16.0']],
    [10, '10.0', ['10.0', '12.0', '14.0', '15.1', '16.0']],
    [11, '10.0', ['10.0', '12.0', '14.0', '15.1', '16.0']],
    [12, '12.0', ['12.0', '14.0', '15.1', '16.0']],
    [13, undefined, ['14.0', '15.1', '16.0']],
    [14, '14.0', ['14.0', '15.1', '16.0']],
    [15, '15.1', ['15.1', '16.0']],
    [16, '16.0', ['16.0']],
    [17, undefined, []],
  ];

  it.each(cases)('at %i keeps %s', (at, kept, left) => {
    const index = threeLives();
    expect(compact(index, at)).toBe(kept !== undefined);
    expect(revisionsOf(index, 'k')).toEqual(left);
    expect(index.size).toBe(left.length === 0 ? 0 : 1);
  });

  it.each(cases)('at %i comes to the same after any earlier compaction', (at, _kept, left) => {
    for (let earlier = 1; earlier < at; earlier++) {
      const index = threeLives();
      compact(index, earlier);
      compact(index, at);
      expect(revisionsOf(index, 'k')).toEqual(left);
    }
  });

  it('keeps the version of a key whose older revisions are gone', () => {
    const index = new KeyIndex();
    index.put('k', 2, 0);
    index.put('k', 3, 0);
    compact(index, 3);
    expect({ ...index.get('k', 3) }).toEqual({ main: 3, sub: 0, created: 2, version: 2 });
    expect({ ...index.put('k', 4, 0) }).toEqual({ main: 4, sub: 0, created: 2, version: 3 });
  });

  it('keeps a key that was deleted and put again in the revision that is compacted', () => {
    const index = new KeyIndex();
    index.put('k', 2, 0);
    index.tombstone('k', 5, 0);
    index.put('k', 5, 1);
    compact(index, 5);
    expect(index.contains('k', 5, 1)).toBe(true);
    expect(index.get('k', 5)?.sub).toBe(1);
  });
});

describe('restore', () => {
  it('starts from a tombstone alone (M14)', () => {
    const index = new KeyIndex();
    index.restore('k', 16, 0, true, 0, 0);
    for (let at = 16; at <= 20; at++) {
      expect(index.get('k', at)).toBeUndefined();
    }
    index.put('k', 17, 0);
    index.put('k', 18, 0);
    expect(revisionsOf(index, 'k')).toEqual(['16.0', '17.0', '18.0']);
    compact(index, 17);
    expect(revisionsOf(index, 'k')).toEqual(['17.0', '18.0']);
    expect({ ...index.get('k', 18) }).toEqual({ main: 18, sub: 0, created: 17, version: 2 });
  });

  it('takes created and version of the first row of a key from the row', () => {
    const index = new KeyIndex();
    index.restore('k', 9, 0, false, 4, 6);
    index.restore('k', 10, 0, false, 4, 7);
    expect({ ...index.get('k', 9) }).toEqual({ main: 9, sub: 0, created: 4, version: 6 });
    expect({ ...index.get('k', 10) }).toEqual({ main: 10, sub: 0, created: 4, version: 7 });
  });

  it('ignores a second tombstone', () => {
    const index = new KeyIndex();
    index.restore('k', 9, 0, true, 0, 0);
    expect(index.restore('k', 10, 0, true, 0, 0)).toBe(false);
    expect(revisionsOf(index, 'k')).toEqual(['9.0']);
  });
});

describe('many keys', () => {
  const keyOf = (i: number): string => String(i).padStart(6, '0');

  it('agrees with a plain map whatever the order of changes', () => {
    const index = new KeyIndex();
    const live = new Set<string>();
    let seed = 7;
    const random = (bound: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >>> 8) % bound;
    };
    let main = 1;
    for (let step = 0; step < 40_000; step++) {
      const key = keyOf(random(5000));
      main++;
      if (random(3) === 0) {
        expect(index.tombstone(key, main, 0)).toBe(live.delete(key));
      } else {
        index.put(key, main, 0);
        live.add(key);
      }
      if (step % 4000 === 3999) {
        compact(index, main - 100, 37);
        expect(index.liveKeys).toBe(live.size);
        const sorted = [...live].sort();
        expect(index.range('', undefined, main, 0).map((entry) => entry.key)).toEqual(sorted);
        for (let i = 0; i < 50; i++) {
          const [a, b] = [keyOf(random(5200)), keyOf(random(5200))];
          const expected = sorted.filter((k) => k >= a && k < b).length;
          expect(index.count(a, b, main)).toBe(expected);
          const past = main - random(100);
          expect(index.count(a, b, past)).toBe(a < b ? index.range(a, b, past, 0).length : 0);
        }
      }
    }
    for (const key of live) {
      index.tombstone(key, ++main, 0);
    }
    compact(index, main + 1, 1000);
    expect([index.size, index.liveKeys]).toEqual([0, 0]);
    index.put('again', main + 2, 0);
    expect(index.range('', undefined, main + 2, 0)).toHaveLength(1);
  });

  it('stays in order when keys arrive in ascending and in descending order', () => {
    for (const direction of [1, -1]) {
      const index = new KeyIndex();
      for (let i = 0; i < 10_000; i++) {
        index.put(keyOf(5000 + direction * (i - 5000)), i + 2, 0);
      }
      expect(index.liveKeys).toBe(10_000);
      const keys = index.range('', undefined, 20_000, 0).map((entry) => entry.key);
      expect(keys).toEqual([...keys].sort());
      expect(new Set(keys).size).toBe(10_000);
    }
  });
});
