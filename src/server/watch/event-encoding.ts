import { encodeEvent, encodeEventList } from '../../proto/hot/watch.js';
import type { MvccChange, MvccEvent, MvccHistory } from '../../storage/mvcc/types.js';
import { variantOf, type WatcherOptions } from './watcher.js';

/**
 * Encoded mvccpb.Event messages in order, shared by all the watchers that see the same ones, and
 * encoded as a list at most once for all of them.
 */
export class EventList {
  readonly events: readonly Buffer[];
  #encoded: Buffer | undefined;

  constructor(events: readonly Buffer[]) {
    this.events = events;
  }

  get length(): number {
    return this.events.length;
  }

  /** The list as it stands at the end of a WatchResponse. */
  get encoded(): Buffer {
    this.#encoded ??= encodeEventList(this.events);
    return this.#encoded;
  }
}

export const NO_EVENTS = new EventList([]);

/**
 * Encodes the events of one change at most once for each combination of what watchers want. Lives
 * for one turn of the event loop: previous values are read from the store as it is now.
 */
export class ChangeEncoder {
  readonly #history: MvccHistory;
  readonly change: MvccChange;
  /** By event index: without and with the previous value. */
  readonly #plain: (Buffer | undefined)[] = [];
  readonly #withPrevious: (Buffer | undefined)[] = [];

  constructor(history: MvccHistory, change: MvccChange) {
    this.#history = history;
    this.change = change;
  }

  /** The events at `indexes` as a watcher with these options sees them; empty if none is left. */
  encode(indexes: readonly number[], options: WatcherOptions): readonly Buffer[] {
    const selected: Buffer[] = [];
    for (const index of indexes) {
      const event = this.change.events[index] as MvccEvent;
      if (event.isDelete ? options.excludesDeletes : options.excludesPuts) continue;
      selected.push(this.#event(index, event, options.wantsPreviousValues));
    }
    return selected;
  }

  #event(index: number, event: MvccEvent, wantsPrevious: boolean): Buffer {
    const cache = wantsPrevious ? this.#withPrevious : this.#plain;
    const cached = cache[index];
    if (cached !== undefined) return cached;
    const previous =
      wantsPrevious && !event.isCreate
        ? this.#history.keyValueAt(event.key, event.modRevision - 1)
        : undefined;
    const encoded = encodeEvent(event.isDelete, event.keyValue, previous);
    cache[index] = encoded;
    return encoded;
  }
}

/** Remembers the encoded events of one set of indexes for each variant of options. */
export class VariantCache {
  readonly #encoder: ChangeEncoder;
  readonly #indexes: readonly number[];
  readonly #byVariant = new Map<number, EventList>();

  constructor(encoder: ChangeEncoder, indexes: readonly number[]) {
    this.#encoder = encoder;
    this.#indexes = indexes;
  }

  eventsFor(options: WatcherOptions): EventList {
    const variant = variantOf(options);
    let events = this.#byVariant.get(variant);
    if (events === undefined) {
      events = new EventList(this.#encoder.encode(this.#indexes, options));
      this.#byVariant.set(variant, events);
    }
    return events;
  }
}
