import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etcdError, GrpcCode } from '../../../../src/proto/errors.js';
import {
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../../../../src/proto/gen/etcdserverpb/rpc.js';
import { type RangeChunk, RangeStream } from '../../../../src/server/apply/kv/range-stream.js';
import { checkRangeStreamRequest } from '../../../../src/server/apply/kv/validate.js';
import { openTestStore, type TestStore } from '../../../storage/mvcc/support.js';
import { Client, keys, keyValues, range } from './support.js';

const { NONE, ASCEND, DESCEND } = SortOrder;
const { KEY, VERSION, CREATE, MOD, VALUE } = SortTarget;

let test: TestStore;
let client: Client;

beforeEach(async () => {
  test = await openTestStore();
  client = new Client(test.store);
});

afterEach(() => test.close());

function putAll(...names: string[]): void {
  for (const name of names) {
    client.put(name);
  }
}

describe('bounds and limits', () => {
  it('R1: bounds are half-open, and an empty or inverted range finds nothing', () => {
    putAll('a', 'b', 'c', 'd', 'e');
    expect(keys(client.range('c', 'c'))).toEqual([]);
    expect(keys(client.range('d', 'b'))).toEqual([]);
    expect(keys(client.range('f', 'z'))).toEqual([]);
    expect(keys(client.range('b', 'd'))).toEqual(['b', 'c']);
    expect(keys(client.range('\0', '\0'))).toHaveLength(5);
    expect(keys(client.range('\0', '\0', { revision: 1 }))).toEqual([]);
    expect(keys(client.range('\0', '\0', { revision: 2 }))).toEqual(['a']);
    expect(keys(client.range('\0', '\0', { revision: 3 }))).toEqual(['a', 'b']);
  });

  it('M6: the header has the current revision, whatever was asked for', () => {
    putAll('foo', 'foo1', 'foo2');
    for (const revision of [2, 3, 4, 0, -1]) {
      expect(client.range('foo', 'foo3', { revision }).revision).toBe(4);
    }
  });

  it.each([
    [-1, 3, false],
    [0, 3, false],
    [1, 1, true],
    [2, 2, true],
    [3, 3, false],
    [100, 3, false],
    [Number.MAX_SAFE_INTEGER, 3, false],
  ])('M8: limit %i', (limit, length, more) => {
    putAll('foo', 'foo1', 'foo2');
    const result = client.range('foo', 'foo3', { limit });
    expect([result.keyValues.length, result.more, result.count]).toEqual([length, more, 3]);
  });

  it('refuses revisions that are compacted or not yet there', () => {
    putAll('a', 'b');
    void test.store.compact(3);
    expect(() => client.range('a', '', { revision: 2 })).toThrow(etcdError('Compacted'));
    expect(() => client.range('a', '', { revision: 4 })).toThrow(etcdError('FutureRev'));
    expect(() => client.range('a', '', { revision: 2, countOnly: true })).toThrow(
      etcdError('Compacted'),
    );
  });

  it('refuses an empty key and sorts nobody knows', () => {
    expect(() => client.range('')).toThrow(etcdError('EmptyKey'));
    const unknown = 7 as SortOrder & SortTarget;
    expect(() => client.range('a', '', { sortOrder: unknown })).toThrow(
      etcdError('InvalidSortOption'),
    );
    expect(() => client.range('a', '', { sortTarget: unknown })).toThrow(
      etcdError('InvalidSortOption'),
    );
  });
});

describe('sorting', () => {
  it('R2: sorts the whole range before the limit cuts', () => {
    putAll('b', 'a', 'c', 'd', 'c');
    const first = (sortOrder: SortOrder, sortTarget: SortTarget): unknown[] => {
      const result = client.range('a', 'z', { limit: 1, sortOrder, sortTarget });
      return [...keys(result), result.more, result.count];
    };
    expect(first(ASCEND, KEY)).toEqual(['a', true, 4]);
    expect(first(DESCEND, KEY)).toEqual(['d', true, 4]);
    expect(first(ASCEND, CREATE)).toEqual(['b', true, 4]);
    expect(first(DESCEND, MOD)).toEqual(['c', true, 4]);
    const all = client.range('a', 'z', { limit: 10, sortTarget: CREATE });
    expect([keys(all), all.more]).toEqual([['b', 'a', 'c', 'd'], false]);
  });

  it('R3: without an order the limit cuts before the sort', () => {
    putAll('gz', 'ga', 'gb');
    const first = (sortOrder: SortOrder): unknown[] => {
      const result = client.range('g', 'h', { limit: 1, sortOrder, sortTarget: CREATE });
      return [...keys(result), result.more, result.count];
    };
    expect(first(NONE)).toEqual(['ga', true, 3]);
    expect(first(ASCEND)).toEqual(['gz', true, 3]);
  });

  it('R8: sorts by value and by version, ties in the order of keys', () => {
    client.put('a', 'aa1');
    client.put('b', 'a');
    for (let i = 0; i < 3; i++) {
      client.put('c', 'aac');
    }
    client.put('foo', 'bar');
    client.put('foo/abc', '0');
    client.put('fop', 's');
    const sorted = (sortOrder: SortOrder, sortTarget: SortTarget): string[] =>
      keys(client.range('\0', '\0', { sortOrder, sortTarget }));
    expect(sorted(ASCEND, VALUE)).toEqual(['foo/abc', 'b', 'a', 'c', 'foo', 'fop']);
    expect(sorted(DESCEND, VALUE)).toEqual(['fop', 'foo', 'c', 'a', 'b', 'foo/abc']);
    expect(sorted(ASCEND, VERSION)).toEqual(['a', 'b', 'foo', 'foo/abc', 'fop', 'c']);
    expect(sorted(DESCEND, VERSION)).toEqual(['c', 'a', 'b', 'foo', 'foo/abc', 'fop']);
    expect(sorted(NONE, VERSION)).toEqual(['a', 'b', 'foo', 'foo/abc', 'fop', 'c']);
  });
});

describe('filters', () => {
  it('R4: by mod revision', () => {
    putAll('rev2', 'rev3', 'rev4', 'rev5', 'rev6');
    const found = (options: Parameters<typeof range>[2]): string[] => {
      const result = client.range('\0', '\0', options);
      expect(result.count).toBe(5);
      return keys(result);
    };
    expect(found({ minModRevision: 3 })).toHaveLength(4);
    expect(found({ maxModRevision: 3 })).toEqual(['rev2', 'rev3']);
    expect(found({ minModRevision: 3, maxModRevision: 5 })).toHaveLength(3);
    expect(found({ maxModRevision: 10 })).toHaveLength(5);
  });

  it('R5: by create revision', () => {
    putAll('rev2', 'rev3', 'rev2', 'rev2', 'rev6', 'rev3');
    const found = (options: Parameters<typeof range>[2]): string[] => {
      const result = client.range('\0', '\0', options);
      expect(result.count).toBe(3);
      return keys(result);
    };
    expect(found({ minCreateRevision: 3 })).toEqual(['rev3', 'rev6']);
    expect(found({ maxCreateRevision: 3 })).toEqual(['rev2', 'rev3']);
    expect(found({ minCreateRevision: 3, maxCreateRevision: 5 })).toEqual(['rev3']);
  });

  it('limits what the filters leave', () => {
    putAll('rev2', 'rev3', 'rev4', 'rev5');
    const result = client.range('\0', '\0', { minModRevision: 3, limit: 2 });
    expect([keys(result), result.more, result.count]).toEqual([['rev3', 'rev4'], true, 4]);
    expect(client.range('\0', '\0', { minModRevision: 4, limit: 2 }).more).toBe(false);
  });
});

describe('count_only and keys_only', () => {
  it('R6: counts alone', () => {
    putAll('a', 'b', 'c');
    const counted = (...args: Parameters<typeof range>): unknown[] => {
      const result = client.range(args[0], args[1], { ...args[2], countOnly: true });
      return [result.count, result.keyValues.length, result.more];
    };
    expect(counted('a', 'z')).toEqual([3, 0, false]);
    expect(counted('b', 'c')).toEqual([1, 0, false]);
    expect(counted('x', 'z')).toEqual([0, 0, false]);
    expect(counted('a', 'z', { limit: 1 })).toEqual([3, 0, false]);
    expect(counted('a', 'z', { keysOnly: true, revision: 3 })).toEqual([2, 0, false]);
    expect(counted('a', 'z', { minModRevision: 4 })).toEqual([3, 0, false]);
  });

  it('R7: keys alone have no lease, unless they are sorted by value', () => {
    client.put('k', 'v', { lease: 5n });
    client.put('k', 'v', { lease: 5n });
    const expected = { createRevision: 2, modRevision: 3, version: 2 };
    const [fromIndex] = keyValues(client.range('k', '', { keysOnly: true }));
    expect(fromIndex).toMatchObject({ ...expected, lease: 0n });
    expect(fromIndex?.value).toHaveLength(0);
    const [sorted] = keyValues(client.range('k', '', { keysOnly: true, sortTarget: VALUE }));
    expect(sorted).toMatchObject({ ...expected, lease: 5n });
    expect(sorted?.value).toHaveLength(0);
  });
});

describe('RangeStream', () => {
  const LARGE = 1_572_864;

  function stream(request: Parameters<typeof range>, maxRequestBytes = LARGE): RangeChunk[] {
    const message = range(...request);
    checkRangeStreamRequest(message);
    const chunks: RangeChunk[] = [];
    const source = new RangeStream(test.store, message, maxRequestBytes);
    for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) {
      chunks.push(chunk);
    }
    return chunks;
  }

  const numbered = (): string[] =>
    Array.from({ length: 25 }, (_, i) => `k${String(i).padStart(2, '0')}`);

  it.each([
    [0, [10, 15], false],
    [25, [10, 15], false],
    [100, [10, 15], false],
    [5, [5], true],
    [10, [10], true],
    [15, [10, 5], true],
  ])('R9: limit %i', (limit, sizes, more) => {
    putAll(...numbered());
    const chunks = stream(['k', 'l', { limit }]);
    expect(chunks.map(({ keyValues: kvs }) => kvs.length)).toEqual(sizes);
    expect(chunks.map(({ summary }) => summary)).toEqual([
      ...sizes.slice(1).map(() => undefined),
      { revision: 26, more, count: 25 },
    ]);
    const total = sizes.reduce((a, b) => a + b);
    expect(chunks.flatMap(keys)).toEqual(numbered().slice(0, total));
  });

  it('counts in one message', () => {
    putAll('a', 'b');
    expect(stream(['\0', '\0', { countOnly: true }])).toEqual([
      { keyValues: [], summary: { revision: 3, more: false, count: 2 } },
    ]);
  });

  it('sends one message for one key and for none', () => {
    putAll('a', 'b');
    expect(stream(['a']).flatMap(keys)).toEqual(['a']);
    expect(stream(['x', 'z'])).toEqual([
      { keyValues: [], summary: { revision: 3, more: false, count: 0 } },
    ]);
  });

  it('sorts within a message by a target without an order, and sends each key once', () => {
    putAll(...numbered().reverse());
    const chunks = stream(['k', 'l', { sortTarget: MOD }]);
    const expected = numbered();
    expect(chunks.map(keys)).toEqual([
      expected.slice(0, 10).reverse(),
      expected.slice(10).reverse(),
    ]);
  });

  it('halves large chunks', () => {
    for (const name of numbered()) {
      client.put(name, 'x'.repeat(100));
    }
    const sizes = stream(['k', 'l'], 300).map(({ keyValues: kvs }) => kvs.length);
    expect(sizes).toEqual([10, 5, 5, 5]);
  });

  it('shows one revision throughout, and ends if that is compacted', () => {
    putAll(...numbered());
    const source = new RangeStream(test.store, range('k', 'l'), LARGE);
    source.next();
    client.del('k', 'l');
    const last = source.next();
    expect(last?.keyValues).toHaveLength(15);
    expect(last?.summary).toEqual({ revision: 26, more: false, count: 25 });
    const late = new RangeStream(test.store, range('k', 'l', { revision: 26 }), LARGE);
    expect(late.next()?.keyValues).toHaveLength(10);
    void test.store.compact(27);
    expect(() => late.next()).toThrow(etcdError('Compacted'));
  });

  it('refuses sorting and filters', () => {
    const refusal = (request: Parameters<typeof range>[2]): unknown => {
      try {
        checkRangeStreamRequest(range('a', '', request));
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const message = 'RangeStream does not support custom sort orders';
    expect(refusal({ sortOrder: DESCEND })).toMatchObject({
      code: GrpcCode.Unimplemented,
      message,
    });
    expect(refusal({ sortOrder: ASCEND, sortTarget: MOD })).toMatchObject({ message });
    expect(refusal({ sortOrder: ASCEND })).toBeUndefined();
    expect(refusal({ sortTarget: MOD })).toBeUndefined();
    expect(refusal({ minModRevision: 1 })).toMatchObject({
      code: GrpcCode.Unimplemented,
      message: 'RangeStream does not support revision filters',
    });
  });
});
