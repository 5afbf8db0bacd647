import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Event, Event_EventType } from '../../../src/proto/gen/mvccpb/kv.js';
import { WatchHub } from '../../../src/server/watch/watch-hub.js';
import { WATCH_STREAM_CAPACITY, type WatchStream } from '../../../src/server/watch/watch-stream.js';
import type { WatcherOptions } from '../../../src/server/watch/watcher.js';
import type { MvccStore } from '../../../src/storage/mvcc/store.js';
import { openTestStore } from '../../storage/mvcc/support.js';

const KEYS = ['a', 'b', 'c', 'd'] as const;

interface Seen {
  readonly revision: number;
  readonly key: string;
  readonly isDelete: boolean;
}

/** One watcher as the test follows it. */
interface Followed {
  readonly options: WatcherOptions;
  readonly firstRevision: number;
  readonly seen: Seen[];
  cancelled: boolean;
  compactRevision: number;
}

function watcherOptions(overrides: Partial<WatcherOptions>): WatcherOptions {
  return {
    key: 'a',
    range: { end: undefined },
    startRevision: 0,
    excludesPuts: false,
    excludesDeletes: false,
    wantsPreviousValues: false,
    wantsFragments: false,
    wantsProgress: false,
    ...overrides,
  };
}

/** A hub over a real store, with everything that clients saw compared to what happened. */
class World {
  readonly store: MvccStore;
  readonly hub: WatchHub;
  readonly stream: WatchStream;
  readonly history: Seen[] = [];
  readonly #deferred: (() => void)[] = [];
  readonly #followed = new Map<bigint, Followed>();
  #nextId = 1n;

  constructor(store: MvccStore) {
    this.store = store;
    this.hub = new WatchHub({
      history: store,
      clock: { defer: (callback) => this.#deferred.push(callback) },
      catchUpRevisions: 3,
    });
    this.stream = this.hub.newStream(() => {});
    store.setChangeListener((change) => {
      for (const { key, isDelete } of change.events) {
        this.history.push({ revision: change.revision, key, isDelete });
      }
      this.hub.notify(change);
    });
  }

  put(key: string): void {
    const transaction = this.store.write();
    transaction.put(Buffer.from(key), Buffer.from('v'), 0n);
    transaction.end();
  }

  /** Deletes b and c and puts d, all in one revision. */
  deleteAndPut(): void {
    const transaction = this.store.write();
    transaction.deleteRange('b', 'd');
    transaction.put(Buffer.from('d'), Buffer.from('v'), 0n);
    transaction.end();
  }

  watch(options: WatcherOptions): void {
    const { currentRevision } = this.store;
    const id = this.#nextId++;
    const firstRevision = options.startRevision || currentRevision + 1;
    const followed = { options, firstRevision, seen: [], cancelled: false, compactRevision: 0 };
    this.#followed.set(id, followed);
    this.stream.create(id, options);
  }

  runDeferred(): boolean {
    const callbacks = this.#deferred.splice(0);
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
  }

  /** Takes up to `count` responses as a client would read them. */
  take(count: number): boolean {
    let took = false;
    for (let i = 0; i < count; i++) {
      const message = this.stream.take();
      if (message === undefined) break;
      took = true;
      const followed = this.#followed.get(message.watchId);
      if (followed === undefined) throw new Error('a response for nobody');
      expect(followed.cancelled).toBe(false);
      if (message.canceled) {
        followed.cancelled = true;
        followed.compactRevision = message.compactRevision;
      }
      const before = followed.seen.at(-1)?.revision ?? 0;
      for (const bytes of message.events.events) {
        const { type, kv } = Event.decode(bytes);
        const revision = kv?.modRevision ?? 0;
        // A revision is never split over two responses.
        expect(revision).toBeGreaterThan(before);
        expect(revision).toBeLessThanOrEqual(message.revision);
        const key = kv?.key.toString() ?? '';
        followed.seen.push({ revision, key, isDelete: type === Event_EventType.DELETE });
      }
    }
    return took;
  }

  /** Lets all clients read everything, then compares. */
  check(): void {
    for (let i = 0; this.runDeferred() || this.take(1000); i++) {
      if (i > 10_000) throw new Error('catching up does not end');
    }
    for (const {
      options,
      firstRevision,
      seen,
      cancelled,
      compactRevision,
    } of this.#followed.values()) {
      const wanted = this.history.filter(
        ({ revision, key, isDelete }) =>
          revision >= firstRevision &&
          (options.range === 'key' ? key === options.key : key >= options.key) &&
          !(isDelete ? options.excludesDeletes : options.excludesPuts),
      );
      if (!cancelled) {
        expect(seen).toEqual(wanted);
        continue;
      }
      expect(seen).toEqual(wanted.slice(0, seen.length));
      // Cancelled only for a reason: it had not seen all that the compaction took.
      expect(firstRevision).toBeLessThan(compactRevision);
      expect(seen.at(-1)?.revision ?? 0).toBeLessThan(compactRevision);
    }
  }
}

async function withWorld(run: (world: World) => Promise<void> | void): Promise<void> {
  const opened = await openTestStore();
  try {
    await run(new World(opened.store));
  } finally {
    await opened.close();
  }
}

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), key: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('burst' as const),
      count: fc.integer({ min: 1, max: 200 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.nat(20) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('watch' as const),
      key: fc.nat(3),
      isRange: fc.boolean(),
      // 0: from now on; else relative to the current revision, into the past or the future.
      start: fc.option(fc.integer({ min: -30, max: 5 })),
      excludesPuts: fc.boolean(),
      excludesDeletes: fc.boolean(),
      wantsPreviousValues: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), count: fc.nat(150) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
);

describe('WatchHub', () => {
  it('sends every watcher each event once, in order, and no revision in parts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), (operations) =>
        withWorld(async (world) => {
          for (const step of operations) {
            const { currentRevision, compactRevision } = world.store;
            if (step.kind === 'put') world.put(KEYS[step.key] ?? 'a');
            if (step.kind === 'change') world.deleteAndPut();
            if (step.kind === 'burst') for (let i = 0; i < step.count; i++) world.put('b');
            if (step.kind === 'take') world.take(step.count);
            if (step.kind === 'turn') world.runDeferred();
            if (step.kind === 'compact') {
              const revision = currentRevision - step.back;
              if (revision > Math.max(0, compactRevision)) await world.store.compact(revision);
            }
            if (step.kind === 'watch') {
              const key = KEYS[step.key] ?? 'a';
              const { excludesPuts, excludesDeletes, wantsPreviousValues } = step;
              const startRevision =
                step.start === null ? 0 : Math.max(1, currentRevision + step.start);
              world.watch({
                ...watcherOptions({ excludesPuts, excludesDeletes, wantsPreviousValues }),
                key,
                range: step.isRange ? { end: undefined } : 'key',
                startRevision,
              });
            }
          }
          world.check();
        }),
      ),
      { numRuns: 300 },
    );
  });

  it('does not read all of a large history in one turn', async () => {
    await withWorld((world) => {
      const transaction = (): void => {
        const write = world.store.write();
        write.put(Buffer.from('a'), Buffer.alloc(1024 * 1024), 0n);
        write.end();
      };
      for (let i = 0; i < 40; i++) transaction();
      world.watch(watcherOptions({ key: 'z', range: 'key', startRevision: 1 }));
      let turns = 0;
      while (world.runDeferred()) turns++;
      expect(turns).toBeGreaterThan(2);
      world.put('z');
      world.check();
    });
  });

  it('drops progress for a client that does not read, and no event', async () => {
    await withWorld((world) => {
      world.watch(watcherOptions({ wantsProgress: true }));
      for (let i = 0; i < 10 * WATCH_STREAM_CAPACITY; i++) world.stream.tickProgress();
      for (let i = 0; i < 10 * WATCH_STREAM_CAPACITY; i++) world.stream.requestProgress();
      expect(world.stream.queued).toBeLessThanOrEqual(WATCH_STREAM_CAPACITY);
    });
  });

  it('serves a reader that is never quite done', async () => {
    await withWorld((world) => {
      world.watch(watcherOptions({}));
      for (let i = 0; i < 5000; i++) {
        world.put('a');
        if (i > 0) world.take(1);
        expect(world.stream.queued).toBeGreaterThan(0);
      }
      world.check();
    });
  });
});
