import { expect, it } from 'vitest';
import type { Random } from '../../../src/platform/random.js';
import { seededRandom } from '../../../src/platform/seeded-random.js';
import type { WatchStream } from '../../../src/server/watch/watch-stream.js';
import type { MvccStore } from '../../../src/storage/mvcc/store.js';
import { openTestHub, showEvent, type TestHub, watch } from './support.js';

const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);
const STEPS = 400;
const KEYS = ['a', 'b', 'c', 'd', 'e'];
/** A start below the current revision by up to this many revisions. */
const HISTORY = 60;

/** An event as it was made. */
interface Made {
  readonly revision: number;
  readonly key: string;
  readonly isDelete: boolean;
  readonly text: string;
}

/** What a watcher should see, and what it has seen. */
interface Watched {
  readonly id: bigint;
  readonly key: string;
  readonly end: string | undefined;
  readonly excludesPuts: boolean;
  readonly excludesDeletes: boolean;
  /** First revision that it must see. */
  readonly start: number;
  readonly seen: string[];
  lastHeader: number;
  compacted: number | undefined;
  cancelled: boolean;
}

interface Reader {
  readonly stream: WatchStream;
  readonly watchers: Map<bigint, Watched>;
  nextId: bigint;
}

class Run {
  readonly #random: Random;
  readonly #test: TestHub;
  readonly #made: Made[] = [];
  readonly #readers: Reader[];

  constructor(random: Random, test: TestHub) {
    this.#random = random;
    this.#test = test;
    this.#readers = Array.from({ length: 3 }, () => ({
      stream: test.hub.newStream(() => {}),
      watchers: new Map<bigint, Watched>(),
      nextId: 1n,
    }));
  }

  get #store(): MvccStore {
    return this.#test.store;
  }

  async step(): Promise<void> {
    const roll = this.#random.integer(100);
    if (roll < 55) this.#write();
    else if (roll < 63) this.#create();
    else if (roll < 65) this.#cancel();
    else if (roll < 67) await this.#compact();
    else if (roll < 69) this.#burst();
    else if (roll < 85) this.#test.settle();
    else this.#read(this.#pick(this.#readers), 1 + this.#random.integer(30));
  }

  /** Reads all there is, and compares each watcher with the history. */
  finish(): number {
    for (let waiting = true; waiting; ) {
      this.#test.settle();
      waiting = false;
      for (const reader of this.#readers) {
        waiting = this.#read(reader, Number.POSITIVE_INFINITY) > 0 || waiting;
      }
    }
    let events = 0;
    for (const reader of this.#readers) {
      for (const watched of reader.watchers.values()) {
        this.#check(watched);
        events += watched.seen.length;
      }
    }
    return events;
  }

  #write(): void {
    const txn = this.#store.write();
    const revision = this.#store.currentRevision + 1;
    const keys = KEYS.filter(() => this.#random.integer(3) === 0);
    for (const key of keys) {
      const value = `${revision}`;
      txn.put(Buffer.from(key), Buffer.from(value), 0n);
      this.#made.push({ revision, key, isDelete: false, text: `PUT ${key}=${value}@${revision}` });
    }
    txn.end();
    if (keys.length === 0) this.#delete(this.#pick(KEYS));
  }

  #delete(key: string): void {
    const txn = this.#store.write();
    const deleted = txn.deleteRange(key, '');
    txn.end();
    if (deleted === 0) return;
    const revision = this.#store.currentRevision;
    this.#made.push({ revision, key, isDelete: true, text: `DELETE ${key}@${revision}` });
  }

  /** More than a stream holds. */
  #burst(): void {
    for (let i = 0; i < 150; i++) this.#write();
  }

  #create(): void {
    const reader = this.#pick(this.#readers);
    const current = this.#store.currentRevision;
    const isFromNow = this.#random.integer(3) === 0;
    const startRevision = isFromNow ? 0 : Math.max(1, current + 5 - this.#random.integer(HISTORY));
    const key = this.#pick(KEYS);
    const end = this.#pick([undefined, undefined, 'd', 'z', '\0']);
    const [excludesPuts, excludesDeletes] = this.#pick([
      [false, false],
      [false, false],
      [true, false],
      [false, true],
    ] as const);
    const id = reader.nextId++;
    if (end !== undefined && end !== '\0' && key >= end) return;
    watch(reader.stream, key, {
      id,
      startRevision,
      excludesPuts,
      excludesDeletes,
      ...(end === undefined ? {} : { end }),
    });
    reader.watchers.set(id, {
      id,
      key,
      end,
      excludesPuts,
      excludesDeletes,
      start: startRevision || current + 1,
      seen: [],
      lastHeader: 0,
      compacted: undefined,
      cancelled: false,
    });
  }

  #cancel(): void {
    const reader = this.#pick(this.#readers);
    const watched = this.#pick([...reader.watchers.values()]);
    if (watched !== undefined && !watched.cancelled) reader.stream.cancel(watched.id);
  }

  async #compact(): Promise<void> {
    const revision = this.#store.currentRevision - this.#random.integer(HISTORY / 2);
    if (revision > this.#store.compactRevision && revision > 0) await this.#store.compact(revision);
  }

  #read({ stream, watchers }: Reader, limit: number): number {
    let count = 0;
    for (; count < limit; count++) {
      const message = stream.take();
      if (message === undefined) break;
      const watched = watchers.get(message.watchId);
      if (watched === undefined) throw new Error(`a message of watcher ${message.watchId}`);
      expect(watched.cancelled, 'a message after the cancellation').toBe(false);
      if (message.compactRevision > 0) {
        expect(watched.compacted).toBeUndefined();
        watched.compacted = message.compactRevision;
      } else if (message.canceled) {
        watched.cancelled = true;
      } else if (!message.created) {
        expect(watched.compacted).toBeUndefined();
        const events = message.events.events.map(showEvent);
        const last = Number(/@(\d+)$/.exec(events.at(-1) ?? '')?.[1]);
        expect(message.revision).toBeGreaterThanOrEqual(last);
        expect(message.revision).toBeGreaterThanOrEqual(watched.lastHeader);
        watched.lastHeader = message.revision;
        watched.seen.push(...events);
        this.#checkWholeRevision(watched, last);
      }
    }
    return count;
  }

  /** The last revision of a response is there with all its events. */
  #checkWholeRevision(watched: Watched, revision: number): void {
    const expected = this.#expectedOf(watched).filter((made) => made.revision === revision);
    const seen = watched.seen.slice(-expected.length);
    expect(seen).toEqual(expected.map(({ text }) => text));
  }

  #check(watched: Watched): void {
    const expected = this.#expectedOf(watched).map(({ text }) => text);
    if (watched.compacted === undefined && !watched.cancelled) {
      expect(watched.seen).toEqual(expected);
      return;
    }
    expect(watched.seen).toEqual(expected.slice(0, watched.seen.length));
    const missed = this.#expectedOf(watched)[watched.seen.length];
    if (watched.compacted !== undefined && missed !== undefined) {
      // It was ended for a reason: what it would have seen next, or may have, was compacted.
      expect(watched.start).toBeLessThan(watched.compacted);
    }
  }

  #expectedOf({ key, end, start, excludesPuts, excludesDeletes }: Watched): Made[] {
    return this.#made.filter(
      (made) =>
        made.revision >= start &&
        !(made.isDelete ? excludesDeletes : excludesPuts) &&
        (end === undefined
          ? made.key === key
          : made.key >= key && (end === '\0' || made.key < end)),
    );
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.integer(choices.length)] as T;
  }
}

it('shows each watcher the history from its start, without gaps, repeats or split revisions', async () => {
  let events = 0;
  for (const seed of SEEDS) {
    const random = seededRandom(seed);
    const run = new Run(random, await openTestHub({ catchUpRevisions: 1 + random.integer(20) }));
    try {
      for (let step = 0; step < STEPS; step++) await run.step();
      events += run.finish();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  expect(events).toBeGreaterThan(SEEDS.length * 1000);
});
