import { type Counter, type Gauge, silentCounter, silentGauge } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import type { MvccChange, MvccHistory } from '../../storage/mvcc/types.js';
import { ChangeEncoder, EventList, VariantCache } from './event-encoding.js';
import { WatchStream } from './watch-stream.js';
import type { Watcher, WatcherOptions } from './watcher.js';
import { type SameRange, WatcherGroup } from './watcher-group.js';

/** Watchers that one catch-up pass serves (reference: semantics 6). */
const CATCH_UP_WATCHERS = 512;
/** Distinct revisions in one catch-up response. */
const CATCH_UP_REVISIONS = 1000;
/** Encoded event bytes after which a catch-up response ends with the revision it is at. */
const CATCH_UP_BYTES = 8 * 1024 * 1024;
/** Changes that one pass reads before it lets the event loop go on. */
const CATCH_UP_SCAN = 4096;
/** Bytes of changes after which a pass ends, whether or not somebody wants them. */
const CATCH_UP_SCAN_BYTES = 16 * 1024 * 1024;

export interface WatchMetrics {
  readonly streams: Gauge;
  readonly watchers: Gauge;
  readonly slowWatchers: Gauge;
  readonly events: Counter;
}

const silentWatchMetrics: WatchMetrics = {
  streams: silentGauge,
  watchers: silentGauge,
  slowWatchers: silentGauge,
  events: silentCounter,
};

export interface WatchHubOptions {
  readonly history: MvccHistory;
  readonly clock: Pick<Clock, 'defer'>;
  /** Distinct revisions in one catch-up response; default {@link CATCH_UP_REVISIONS}. */
  readonly catchUpRevisions?: number;
  readonly metrics?: WatchMetrics;
}

/** What one catch-up pass has found for one watcher. */
interface Batch {
  readonly watcher: Watcher;
  readonly events: Buffer[];
  revisions: number;
  bytes: number;
  /** The first revision that was not looked at because the batch was full. */
  fullAt: number | undefined;
}

/**
 * All watchers of a member. Synced ones are told of a change in the very turn that makes it, before
 * anything else can read the new revision; the others are caught up from the store in bounded
 * passes and then join them. A watcher whose stream has no room falls back to catching up, so no
 * event is lost, repeated or reordered, and a revision is never split.
 * Source: reference, semantics 6.
 */
export class WatchHub {
  readonly #history: MvccHistory;
  readonly #clock: Pick<Clock, 'defer'>;
  readonly #catchUpRevisions: number;
  readonly #metrics: WatchMetrics;
  readonly #synced = new WatcherGroup();
  readonly #unsynced = new Set<Watcher>();
  #catchUpScheduled = false;
  #closed = false;

  constructor(options: WatchHubOptions) {
    this.#history = options.history;
    this.#clock = options.clock;
    this.#catchUpRevisions = options.catchUpRevisions ?? CATCH_UP_REVISIONS;
    this.#metrics = options.metrics ?? silentWatchMetrics;
  }

  get currentRevision(): number {
    return this.#history.currentRevision;
  }

  /** @param onReady called when the stream's queue was empty and now is not */
  newStream(onReady: () => void): WatchStream {
    this.#metrics.streams.inc();
    return new WatchStream(this, onReady);
  }

  /** For {@link WatchStream} alone. */
  register(stream: WatchStream, id: bigint, options: WatcherOptions): Watcher {
    const { currentRevision } = this.#history;
    const start = options.startRevision;
    const synced = start === 0 || start > currentRevision;
    const watcher: Watcher = {
      id,
      stream,
      options,
      minimumRevision: synced ? Math.max(start, currentRevision + 1) : start,
      state: synced ? 'synced' : 'unsynced',
      sentSinceTick: false,
    };
    if (synced) this.#synced.add(watcher);
    else this.#addUnsynced(watcher);
    this.#metrics.watchers.inc();
    return watcher;
  }

  /** For {@link WatchStream} alone. */
  unregister(watcher: Watcher): void {
    if (watcher.state === 'synced') this.#synced.remove(watcher);
    if (watcher.state === 'unsynced') this.#removeUnsynced(watcher);
    this.#metrics.watchers.dec();
  }

  /** For {@link WatchStream} alone. */
  removeStream(): void {
    this.#metrics.streams.dec();
  }

  /** Whether the watcher has been sent all there is, up to the current revision. */
  isCaughtUp(watcher: Watcher): boolean {
    return (
      watcher.state === 'synced' && this.#history.currentRevision >= watcher.options.startRevision
    );
  }

  /** Tells the synced watchers of a change. Called at the end of the write, in the same turn. */
  notify(change: MvccChange): void {
    if (this.#synced.isEmpty) return;
    const matches = new Map<SameRange, number[]>();
    for (let index = 0; index < change.events.length; index++) {
      const event = change.events[index];
      if (event === undefined) continue;
      this.#synced.forKey(event.key, (group) => {
        const indexes = matches.get(group);
        if (indexes === undefined) matches.set(group, [index]);
        else indexes.push(index);
      });
    }
    if (matches.size === 0) return;
    const encoder = new ChangeEncoder(this.#history, change);
    for (const [group, indexes] of matches) {
      const cache = new VariantCache(encoder, indexes);
      for (const watcher of [...group.watchers]) this.#send(watcher, change.revision, cache);
    }
  }

  /** After the whole state was replaced by a snapshot: everyone continues from where it stood. */
  resyncAll(): void {
    const all = new Set<Watcher>();
    this.#synced.forEachWatcher((watcher) => all.add(watcher));
    for (const watcher of all) this.#fallBehind(watcher);
  }

  /** Runs a catch-up pass soon, if there is anything to catch up. */
  scheduleCatchUp(): void {
    if (this.#catchUpScheduled || this.#unsynced.size === 0 || this.#closed) return;
    this.#catchUpScheduled = true;
    this.#clock.defer(() => {
      this.#catchUpScheduled = false;
      if (!this.#closed) this.#runCatchUp();
    });
  }

  close(): void {
    this.#closed = true;
  }

  #send(watcher: Watcher, revision: number, cache: VariantCache): void {
    // A watcher may wait for a revision that is still to come.
    if (revision < watcher.minimumRevision) return;
    const events = cache.eventsFor(watcher.options);
    if (events.length > 0) {
      if (!watcher.stream.hasRoom) {
        watcher.minimumRevision = revision;
        this.#fallBehind(watcher);
        return;
      }
      watcher.stream.pushEvents(watcher, revision, events);
      this.#metrics.events.inc(events.length);
    }
    watcher.minimumRevision = revision + 1;
  }

  #fallBehind(watcher: Watcher): void {
    this.#synced.remove(watcher);
    watcher.state = 'unsynced';
    this.#addUnsynced(watcher);
  }

  #addUnsynced(watcher: Watcher): void {
    this.#unsynced.add(watcher);
    this.#metrics.slowWatchers.set(this.#unsynced.size);
    if (watcher.stream.hasRoom) this.scheduleCatchUp();
  }

  #removeUnsynced(watcher: Watcher): void {
    this.#unsynced.delete(watcher);
    this.#metrics.slowWatchers.set(this.#unsynced.size);
  }

  #runCatchUp(): void {
    const batches = this.#chooseBatches();
    if (batches.length === 0) return;
    const scannedTo = this.#scan(batches);
    for (const batch of batches) this.#deliver(batch, scannedTo);
    for (const watcher of this.#unsynced) {
      if (!watcher.stream.hasRoom) continue;
      this.scheduleCatchUp();
      return;
    }
  }

  /** The watchers of this pass; those that a compaction has overtaken are told and taken out. */
  #chooseBatches(): Batch[] {
    const batches: Batch[] = [];
    for (const watcher of [...this.#unsynced]) {
      if (watcher.minimumRevision < this.#history.compactRevision) {
        this.#removeUnsynced(watcher);
        watcher.state = 'cancelled';
        watcher.stream.pushCompacted(watcher, this.#history.compactRevision);
        continue;
      }
      if (batches.length >= CATCH_UP_WATCHERS || !watcher.stream.hasRoom) continue;
      // Served watchers go to the end of the line, so that each pass serves those that wait longest.
      this.#unsynced.delete(watcher);
      this.#unsynced.add(watcher);
      batches.push({ watcher, events: [], revisions: 0, bytes: 0, fullAt: undefined });
    }
    return batches;
  }

  /** Reads changes once for all batches; returns the last revision looked at. */
  #scan(batches: readonly Batch[]): number {
    let from = Number.POSITIVE_INFINITY;
    for (const { watcher } of batches) from = Math.min(from, watcher.minimumRevision);
    let scanned = 0;
    let bytes = 0;
    for (const change of this.#history.changesFrom(from)) {
      if (scanned++ >= CATCH_UP_SCAN || bytes >= CATCH_UP_SCAN_BYTES) return change.revision - 1;
      for (const { keyValue } of change.events) bytes += keyValue.length;
      const encoder = new ChangeEncoder(this.#history, change);
      let open = false;
      for (const batch of batches) {
        if (batch.fullAt !== undefined) continue;
        open = true;
        collect(batch, encoder, this.#catchUpRevisions);
      }
      if (!open) return change.revision - 1;
    }
    return this.#history.currentRevision;
  }

  #deliver(batch: Batch, scannedTo: number): void {
    const { watcher, events } = batch;
    // An earlier batch of this pass may have filled the stream that the two share.
    if (events.length > 0 && !watcher.stream.hasRoom) return;
    const current = this.#history.currentRevision;
    if (events.length > 0) {
      watcher.stream.pushEvents(watcher, current, new EventList(events));
      this.#metrics.events.inc(events.length);
    }
    const next = batch.fullAt ?? scannedTo + 1;
    watcher.minimumRevision = Math.max(watcher.minimumRevision, next);
    if (watcher.minimumRevision <= current) return;
    this.#removeUnsynced(watcher);
    watcher.state = 'synced';
    this.#synced.add(watcher);
  }
}

function collect(batch: Batch, encoder: ChangeEncoder, maximumRevisions: number): void {
  const { watcher } = batch;
  const { revision, events } = encoder.change;
  if (revision < watcher.minimumRevision) return;
  const { key, range } = watcher.options;
  const indexes: number[] = [];
  for (let index = 0; index < events.length; index++) {
    const candidate = events[index]?.key as string;
    const matches =
      range === 'key'
        ? candidate === key
        : candidate >= key && (range.end === undefined || candidate < range.end);
    if (matches) indexes.push(index);
  }
  if (indexes.length === 0) return;
  const encoded = encoder.encode(indexes, watcher.options);
  if (encoded.length === 0) return;
  if (batch.revisions >= maximumRevisions || batch.bytes >= CATCH_UP_BYTES) {
    batch.fullAt = revision;
    return;
  }
  batch.revisions++;
  for (const event of encoded) {
    batch.events.push(event);
    batch.bytes += event.length;
  }
}
