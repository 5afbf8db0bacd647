import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/platform/clock.js';
import { ManualClock } from '../../../src/platform/manual-clock.js';
import {
  type Backend,
  type BackendSnapshot,
  type Bucket,
  MAX_KEY_BYTES,
  type Row,
} from '../../../src/storage/backend/backend.js';
import type { BatchLimits } from '../../../src/storage/backend/batch-timer.js';

/** Opens one store again and again. */
export interface BackendHarness {
  open(options: BatchLimits & { clock: Clock }): Promise<Backend>;
  /** Removes what the store left behind; every backend is closed by then. */
  destroy(): Promise<void>;
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function texts(rows: Iterable<Row>): [string, string][] {
  return [...rows].map(([key, value]) => [key.toString('latin1'), value.toString('latin1')]);
}

/** What every backend must do, whatever it stores its rows in. */
export function describeBackend(name: string, makeHarness: () => Promise<BackendHarness>): void {
  describe(name, () => {
    let harness: BackendHarness;
    let clock: ManualClock;
    const opened: Backend[] = [];

    const open = async (limits: BatchLimits = {}): Promise<Backend> => {
      const backend = await harness.open({ clock, ...limits });
      opened.push(backend);
      return backend;
    };
    const put = (backend: Backend, key: string, value: string, bucket: Bucket = 'key'): void =>
      backend.put(bucket, bytes(key), bytes(value));
    const get = (
      view: Backend | BackendSnapshot,
      key: string,
      bucket: Bucket = 'key',
    ): string | undefined => view.get(bucket, bytes(key))?.toString('latin1');
    const all = (view: Backend | BackendSnapshot, bucket: Bucket = 'key') =>
      texts(view.range(bucket, bytes('\x00')));

    beforeEach(async () => {
      clock = new ManualClock();
      harness = await makeHarness();
    });

    afterEach(async () => {
      for (const backend of opened.splice(0)) {
        await backend.close();
      }
      await harness.destroy();
    });

    describe('reads', () => {
      it('sees a write at once', async () => {
        const backend = await open();
        put(backend, 'a', '1');
        expect(get(backend, 'a')).toBe('1');
        expect(get(backend, 'b')).toBeUndefined();
        expect(get(backend, 'a', 'lease')).toBeUndefined();
      });

      it('sees committed, in-flight and pending rows as one, the newest first', async () => {
        const backend = await open();
        for (const key of ['a', 'b', 'c', 'd', 'e']) {
          put(backend, key, 'committed');
        }
        await backend.commit();
        put(backend, 'b', 'flying');
        backend.delete('key', bytes('c'));
        backend.delete('key', bytes('e'));
        put(backend, 'f', 'flying');
        const flying = backend.commit();
        backend.delete('key', bytes('d'));
        backend.delete('key', bytes('f'));
        put(backend, 'c', 'pending');
        put(backend, 'g', 'pending');
        const expected = [
          ['a', 'committed'],
          ['b', 'flying'],
          ['c', 'pending'],
          ['g', 'pending'],
        ];
        expect(all(backend)).toEqual(expected);
        expect(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((key) => get(backend, key))).toEqual([
          'committed',
          'flying',
          'pending',
          undefined,
          undefined,
          undefined,
          'pending',
        ]);
        await flying;
        expect(all(backend)).toEqual(expected);
        await backend.commit();
        expect(all(backend)).toEqual(expected);
      });

      it('honours start, end and limit, with hidden rows not counted', async () => {
        const backend = await open();
        for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
          put(backend, key, key);
        }
        await backend.commit();
        backend.delete('key', bytes('c'));
        put(backend, 'bb', 'bb');
        const keys = (start: string, end?: string, limit?: number): string[] =>
          texts(
            backend.range('key', bytes(start), end === undefined ? end : bytes(end), limit),
          ).map(([key]) => key);
        expect(keys('b', 'e')).toEqual(['b', 'bb', 'd']);
        expect(keys('b', 'e', 3)).toEqual(['b', 'bb', 'd']);
        expect(keys('b', undefined, 3)).toEqual(['b', 'bb', 'd']);
        expect(keys('b', 'e', 1)).toEqual(['b']);
        expect(keys('b', 'e', 0)).toEqual([]);
        expect(keys('c', 'd')).toEqual([]);
        expect(keys('e', 'b')).toEqual([]);
        expect(keys('ba', undefined)).toEqual(['bb', 'd', 'e', 'f']);
        expect(keys('g')).toEqual([]);
      });

      it('starts from the very first key for an empty start', async () => {
        const backend = await open();
        backend.put('key', Buffer.from([0]), bytes('nul'));
        put(backend, 'x', 'y');
        await backend.commit();
        backend.put('key', Buffer.from([0, 0]), bytes('nulnul'));
        expect(texts(backend.range('key', Buffer.alloc(0)))).toEqual([
          ['\0', 'nul'],
          ['\0\0', 'nulnul'],
          ['x', 'y'],
        ]);
      });

      it('orders keys as unsigned bytes and keeps every byte', async () => {
        const backend = await open();
        const keys = ['\x01', '\x01\x00', '\x7f', '\x80', '\xff', '\xff\xff'];
        for (const key of [...keys].reverse()) {
          put(backend, key, `<${key}>`, 'meta');
        }
        const expected = keys.map((key) => [key, `<${key}>`]);
        expect(all(backend, 'meta')).toEqual(expected);
        await backend.commit();
        expect(all(backend, 'meta')).toEqual(expected);
      });

      it('stores empty and large values', async () => {
        const backend = await open();
        const large = Buffer.alloc(3_000_000, 7);
        backend.put('key', bytes('empty'), Buffer.alloc(0));
        backend.put('key', bytes('large'), large);
        put(backend, 'small', 's');
        for (let round = 0; round < 2; round++) {
          expect(get(backend, 'empty')).toBe('');
          expect(backend.get('key', bytes('large'))?.equals(large)).toBe(true);
          const rows = [...backend.range('key', bytes('a'))];
          expect(rows.map(([, value]) => value.length)).toEqual([0, large.length, 1]);
          expect(rows[1]?.[1].equals(large)).toBe(true);
          await backend.commit();
        }
      });

      it('refuses keys of no bytes and of too many, and finds none', async () => {
        const backend = await open();
        for (const key of [Buffer.alloc(0), Buffer.alloc(MAX_KEY_BYTES + 1, 1)]) {
          expect(() => backend.put('key', key, bytes('v'))).toThrow(RangeError);
          expect(() => backend.delete('key', key)).toThrow(RangeError);
          expect(backend.get('key', key)).toBeUndefined();
        }
        const longest = Buffer.alloc(MAX_KEY_BYTES, 1);
        backend.put('key', longest, bytes('v'));
        await backend.commit();
        expect(backend.get('key', longest)?.toString()).toBe('v');
        expect([...backend.range('key', longest)][0]?.[0].equals(longest)).toBe(true);
      });

      it('returns bytes that later calls do not change', async () => {
        const backend = await open();
        put(backend, 'a', 'first');
        put(backend, 'b', 'second');
        await backend.commit();
        const first = backend.get('key', bytes('a'));
        const rows = [...backend.range('key', bytes('a'))];
        backend.get('key', bytes('b'));
        put(backend, 'a', 'third');
        await backend.commit();
        get(backend, 'a');
        expect(first?.toString()).toBe('first');
        expect(texts(rows)).toEqual([
          ['a', 'first'],
          ['b', 'second'],
        ]);
      });

      it('keeps its own copy of the key', async () => {
        const backend = await open();
        const key = bytes('a');
        backend.put('key', key, bytes('1'));
        key[0] = 0x7a;
        expect(all(backend)).toEqual([['a', '1']]);
      });

      it('lets rows be deleted and written while iterating', async () => {
        const backend = await open();
        const keys = Array.from({ length: 1000 }, (_, n) => String(n).padStart(4, '0'));
        for (const key of keys.slice(0, 600)) {
          put(backend, key, key);
        }
        await backend.commit();
        for (const key of keys.slice(600)) {
          put(backend, key, key);
        }
        const seen: string[] = [];
        for (const [key] of backend.range('key', bytes('0'))) {
          seen.push(key.toString());
          backend.delete('key', key);
        }
        expect(seen).toEqual(keys);
        expect(all(backend)).toEqual([]);
      });
    });

    describe('commits', () => {
      it('keeps committed rows over a reopening', async () => {
        const first = await open();
        put(first, 'a', '1');
        put(first, 'x', '2', 'members_removed');
        await first.commit();
        first.delete('key', bytes('a'));
        put(first, 'b', '3');
        await first.close();
        const second = await open();
        expect(all(second)).toEqual([['b', '3']]);
        expect(get(second, 'x', 'members_removed')).toBe('2');
      });

      it('puts what the hook writes into the same batch', async () => {
        const backend = await open();
        let calls = 0;
        backend.setPreCommitHook(() => put(backend, 'consistent_index', String(++calls), 'meta'));
        put(backend, 'a', '1');
        expect(calls).toBe(0);
        const done = backend.commit();
        expect(calls).toBe(1);
        expect(get(backend, 'consistent_index', 'meta')).toBe('1');
        await done;
        await backend.close();
        const again = await open();
        expect(Number(get(again, 'consistent_index', 'meta'))).toBe(calls);
        expect(get(again, 'a')).toBe('1');
      });

      it('commits by itself after the interval, once', async () => {
        const backend = await open({ batchIntervalMillis: 50 });
        let calls = 0;
        backend.setPreCommitHook(() => {
          calls++;
        });
        clock.advance(500);
        expect(calls).toBe(0);
        put(backend, 'a', '1');
        clock.advance(49);
        expect(calls).toBe(0);
        clock.advance(1);
        expect(calls).toBe(1);
        await backend.commit();
        calls = 0;
        clock.advance(500);
        expect(calls).toBe(0);
      });

      it('commits by itself at the limit, after the turn that reached it', async () => {
        const backend = await open({ batchLimit: 3 });
        let calls = 0;
        backend.setPreCommitHook(() => {
          calls++;
        });
        for (const key of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) {
          put(backend, key, key);
        }
        expect(calls).toBe(0);
        clock.advance(0);
        expect(calls).toBe(1);
        await backend.commit();
        expect(all(backend)).toHaveLength(7);
      });

      it('commits what was written before the call, for several callers', async () => {
        const backend = await open();
        put(backend, 'a', '1');
        const first = backend.commit();
        put(backend, 'b', '2');
        const second = backend.commit();
        put(backend, 'c', '3');
        const third = backend.commit();
        await Promise.all([first, second, third]);
        expect(all(backend)).toEqual([
          ['a', '1'],
          ['b', '2'],
          ['c', '3'],
        ]);
        await backend.close();
        expect(all(await open())).toHaveLength(3);
      });

      it('refuses work after it was closed, and leaves no timer', async () => {
        const backend = await open();
        put(backend, 'a', '1');
        await backend.close();
        expect(() => put(backend, 'b', '1')).toThrow(/closed/);
        expect(() => get(backend, 'a')).toThrow(/closed/);
        await expect(backend.commit()).rejects.toThrow(/closed/);
        await backend.close();
        expect(clock.pendingTimers).toBe(0);
      });
    });

    describe('snapshots', () => {
      it('holds everything written before the call and nothing after it', async () => {
        const backend = await open();
        put(backend, 'a', '1');
        put(backend, 'b', '1');
        await backend.commit();
        put(backend, 'b', '2');
        const pending = backend.snapshot();
        put(backend, 'c', '3');
        backend.delete('key', bytes('a'));
        const snapshot = await pending;
        const expected = [
          ['a', '1'],
          ['b', '2'],
        ];
        expect(all(snapshot)).toEqual(expected);
        for (let round = 0; round < 5; round++) {
          put(backend, 'b', `later ${round}`);
          put(backend, `d${round}`, 'x');
          await backend.commit();
          await sleep(1);
          expect(all(snapshot)).toEqual(expected);
          expect(get(snapshot, 'a')).toBe('1');
          expect(get(snapshot, 'c')).toBeUndefined();
        }
        expect(texts(snapshot.range('key', bytes('a'), bytes('b')))).toEqual([['a', '1']]);
        expect(texts(snapshot.range('key', bytes('a'), undefined, 1))).toEqual([['a', '1']]);
        snapshot.close();
        expect(get(backend, 'b')).toBe('later 4');
      });

      it('keeps an iteration steady over many turns', async () => {
        const backend = await open();
        const keys = Array.from({ length: 200 }, (_, n) => String(n).padStart(3, '0'));
        for (const key of keys) {
          put(backend, key, key);
        }
        const snapshot = await backend.snapshot();
        const seen: string[] = [];
        for (const [key] of snapshot.range('key', bytes('0'))) {
          seen.push(key.toString());
          if (seen.length % 20 === 0) {
            backend.delete('key', key);
            backend.delete('key', bytes(String(seen.length + 5).padStart(3, '0')));
            await backend.commit();
            await sleep(1);
          }
        }
        expect(seen).toEqual(keys);
        snapshot.close();
      });

      it('gives each caller its own moment', async () => {
        const backend = await open();
        const pending: Promise<BackendSnapshot>[] = [];
        for (let n = 0; n < 5; n++) {
          put(backend, 'n', String(n));
          pending.push(backend.snapshot());
        }
        const snapshots = await Promise.all(pending);
        expect(snapshots.map((snapshot) => get(snapshot, 'n'))).toEqual(['0', '1', '2', '3', '4']);
        for (const snapshot of snapshots) {
          snapshot.close();
        }
      });

      it('can be closed twice, but not read after', async () => {
        const backend = await open();
        const snapshot = await backend.snapshot();
        snapshot.close();
        snapshot.close();
        expect(() => get(snapshot, 'a')).toThrow(/closed/);
        expect(() => all(snapshot)).toThrow(/closed/);
      });
    });

    describe('space', () => {
      it('grows with the rows, and gives free pages back only when defragmented', async () => {
        const backend = await open();
        const value = Buffer.alloc(1000, 1);
        for (let n = 0; n < 2000; n++) {
          backend.put('key', bytes(String(n).padStart(6, '0')), value);
        }
        await backend.commit();
        const full = backend.size();
        expect(full.allocated).toBeGreaterThanOrEqual(2_000_000);
        expect(full.inUse).toBeGreaterThanOrEqual(2_000_000);
        expect(full.inUse).toBeLessThanOrEqual(full.allocated);
        for (let n = 10; n < 2000; n++) {
          backend.delete('key', bytes(String(n).padStart(6, '0')));
        }
        await backend.commit();
        const emptied = backend.size();
        expect(emptied.allocated).toBeGreaterThanOrEqual(full.allocated);
        expect(emptied.inUse).toBeLessThan(full.inUse / 4);

        put(backend, 'pending', 'kept');
        const defragmented = backend.defragment();
        await defragmented;
        expect(backend.size().allocated).toBeLessThan(full.allocated / 4);
        expect(all(backend)).toHaveLength(11);
        expect(get(backend, 'pending')).toBe('kept');
        put(backend, 'after', 'works');
        await backend.commit();
        await backend.close();
        const again = await open();
        expect(all(again)).toHaveLength(12);
        expect(again.size().allocated).toBeLessThan(full.allocated / 4);
      });
    });

    it('agrees with a plain sorted map', { timeout: 60_000 }, async () => {
      const key = fc.integer({ min: 0, max: 40 }).map((n) => String.fromCharCode(1 + n * 6));
      const bucket = fc.constantFrom<Bucket>('key', 'lease');
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.tuple(fc.constant('put' as const), bucket, key) },
        { weight: 4, arbitrary: fc.tuple(fc.constant('delete' as const), bucket, key) },
        { weight: 1, arbitrary: fc.tuple(fc.constant('seal' as const)) },
        { weight: 1, arbitrary: fc.tuple(fc.constant('commit' as const)) },
        { weight: 2, arbitrary: fc.tuple(fc.constant('range' as const), bucket, key, key) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
          const store = await makeHarness();
          const backend = await store.open({ clock });
          const model: Record<'key' | 'lease', Map<string, string>> = {
            key: new Map(),
            lease: new Map(),
          };
          const flying: Promise<void>[] = [];
          const modelRange = (name: 'key' | 'lease', from: string, to?: string) =>
            [...model[name]]
              .filter(([k]) => k >= from && (to === undefined || k < to))
              .sort(([a], [b]) => (a < b ? -1 : 1));
          try {
            let count = 0;
            for (const [kind, name, first, second] of steps) {
              const table = name === 'lease' ? 'lease' : 'key';
              if (kind === 'put') {
                backend.put(table, bytes(first), bytes(String(++count)));
                model[table].set(first, String(count));
              } else if (kind === 'delete') {
                backend.delete(table, bytes(first));
                model[table].delete(first);
              } else if (kind === 'seal') {
                flying.push(backend.commit());
              } else if (kind === 'commit') {
                await backend.commit();
              } else {
                expect(texts(backend.range(table, bytes(first), bytes(second)))).toEqual(
                  modelRange(table, first, second),
                );
                expect(get(backend, first, table)).toBe(model[table].get(first));
              }
            }
            expect(all(backend)).toEqual(modelRange('key', ''));
            const snapshot = await backend.snapshot();
            expect(all(snapshot, 'lease')).toEqual(modelRange('lease', ''));
            snapshot.close();
            await Promise.all(flying);
            await backend.close();
            const again = await store.open({ clock });
            expect(all(again)).toEqual(modelRange('key', ''));
            expect(all(again, 'lease')).toEqual(modelRange('lease', ''));
            await again.close();
          } finally {
            await backend.close();
            await store.destroy();
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}
