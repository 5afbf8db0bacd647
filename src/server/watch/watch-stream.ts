import { type EventList, NO_EVENTS } from './event-encoding.js';
import type { WatchHub } from './watch-hub.js';
import type { Watcher, WatcherOptions } from './watcher.js';

/** Event responses that wait in one stream, shared by all its watchers (reference: semantics 6). */
export const WATCH_STREAM_CAPACITY = 128;

/** Responses taken from a queue after which it is cut. */
const TAKEN_TO_DROP = 64;

/** The watch id of answers that concern no watcher or all of them. */
const NO_WATCHER = -1n;

/** One response before it is encoded. */
export interface WatchMessage {
  readonly watchId: bigint;
  /** Header revision; 0 in the cancellation after a compaction (Trap: clients see exactly that). */
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: EventList;
  readonly mayFragment: boolean;
}

function controlMessage(watchId: bigint, revision: number): WatchMessage {
  return {
    watchId,
    revision,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    events: NO_EVENTS,
    mayFragment: false,
  };
}

/**
 * One client stream of watchers: hands out ids and queues responses in order. Event responses are
 * bounded by {@link WATCH_STREAM_CAPACITY}: when the queue is full the watcher falls back to
 * catching up from the backend. Answers to requests are queued always: there is one for each
 * request of the client.
 */
export class WatchStream {
  readonly #hub: WatchHub;
  readonly #onReady: () => void;
  readonly #watchers = new Map<bigint, Watcher>();
  #queue: WatchMessage[] = [];
  #head = 0;
  #queuedEvents = 0;
  #nextId = 0n;

  /** @param onReady called when the queue was empty and now is not */
  constructor(hub: WatchHub, onReady: () => void) {
    this.#hub = hub;
    this.#onReady = onReady;
  }

  /** Whether one more event response fits. */
  get hasRoom(): boolean {
    return this.#queuedEvents < WATCH_STREAM_CAPACITY;
  }

  /** Responses that wait. */
  get queued(): number {
    return this.#queue.length - this.#head;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /**
   * Registers a watcher and queues its `created` answer. Nothing can come between the two, so the
   * answer always precedes the watcher's events.
   * @param requestedId 0n: the next free id, counted from 0
   */
  create(requestedId: bigint, options: WatcherOptions): void {
    if (requestedId !== 0n && this.#watchers.has(requestedId)) {
      this.reject('mvcc: duplicate watch ID provided on the WatchStream');
      return;
    }
    const { key, range } = options;
    if (range !== 'key' && range.end !== undefined && key >= range.end) {
      this.reject('mvcc: watcher range is empty');
      return;
    }
    const watcher = this.#hub.register(this, requestedId || this.#freeId(), options);
    this.#watchers.set(watcher.id, watcher);
    this.#push({ ...controlMessage(watcher.id, this.#hub.currentRevision), created: true });
  }

  /** Answers a create request that is refused; the stream goes on. */
  reject(reason: string): void {
    this.#push({
      ...controlMessage(NO_WATCHER, this.#hub.currentRevision),
      created: true,
      canceled: true,
      cancelReason: reason,
    });
  }

  /** Ends a watcher and says so; an unknown id gets no answer at all. */
  cancel(id: bigint): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    this.#watchers.delete(id);
    this.#hub.unregister(watcher);
    this.#push({ ...controlMessage(id, this.#hub.currentRevision), canceled: true });
  }

  /**
   * Answers a progress request, once, if every watcher has seen all there is; else says nothing.
   * Trap: a watcher that a compaction ended counts as one that has not.
   */
  requestProgress(): void {
    if (this.#watchers.size === 0 || this.#isBehind) return;
    for (const watcher of this.#watchers.values()) {
      if (!this.#hub.isCaughtUp(watcher)) return;
    }
    this.#push(controlMessage(NO_WATCHER, this.#hub.currentRevision));
  }

  /** The periodic progress of watchers that asked for it and were sent nothing since the last tick. */
  tickProgress(): void {
    for (const watcher of this.#watchers.values()) {
      if (!watcher.options.wantsProgress) continue;
      const idle = !watcher.sentSinceTick;
      watcher.sentSinceTick = false;
      if (idle && !this.#isBehind && this.#hub.isCaughtUp(watcher)) {
        this.#push(controlMessage(watcher.id, this.#hub.currentRevision));
      }
    }
  }

  /** Queues events. Only to be called while {@link hasRoom}. */
  pushEvents(watcher: Watcher, revision: number, events: EventList): void {
    watcher.sentSinceTick = true;
    this.#queuedEvents++;
    const mayFragment = watcher.options.wantsFragments;
    this.#push({ ...controlMessage(watcher.id, revision), events, mayFragment });
  }

  /** Tells that a compaction took revisions that the watcher had not seen. */
  pushCompacted(watcher: Watcher, compactRevision: number): void {
    this.#push({ ...controlMessage(watcher.id, 0), canceled: true, compactRevision });
  }

  /** The next response to send, if any. */
  take(): WatchMessage | undefined {
    const message = this.#queue[this.#head];
    if (message === undefined) return undefined;
    this.#head++;
    // Also while the queue is never empty: what was taken must not stay in memory.
    if (this.#head === this.#queue.length || this.#head >= TAKEN_TO_DROP) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (message.events.length > 0) {
      this.#queuedEvents--;
      if (this.#queuedEvents === WATCH_STREAM_CAPACITY - 1) this.#hub.scheduleCatchUp();
    }
    return message;
  }

  /** Ends all watchers. */
  close(): void {
    for (const watcher of this.#watchers.values()) this.#hub.unregister(watcher);
    this.#watchers.clear();
    this.#queue = [];
    this.#head = 0;
    this.#hub.removeStream();
  }

  /** Whether the client reads so slowly that progress is of no use to it and only piles up. */
  get #isBehind(): boolean {
    return this.queued >= WATCH_STREAM_CAPACITY;
  }

  #freeId(): bigint {
    while (this.#watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #push(message: WatchMessage): void {
    const wasEmpty = this.queued === 0;
    this.#queue.push(message);
    if (wasEmpty) this.#onReady();
  }
}
