import { etcdError, GrpcCode, type RpcError } from '../proto/errors.js';
import {
  type ResponseHeader,
  type WatchCreateRequest,
  WatchCreateRequest as WatchCreateRequestCodec,
  type WatchResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import type { Event } from '../proto/gen/mvccpb/kv.js';
import { AsyncQueue, type QueueHooks } from './async-queue.js';
import { errorFromStatus } from './errors.js';

/** Updates that may wait for their reader before the stream is held back. */
const UPDATE_BOUND = 1024;

/** What to watch. */
export interface WatchOptions
  extends Partial<Omit<WatchCreateRequest, 'watchId' | 'key'>>,
    Pick<WatchCreateRequest, 'key'> {
  /** End the watch if the member sees no leader for three elections. */
  readonly requireLeader?: boolean;
}

/** What a watcher delivers: events, progress (no events), or the end. */
export interface WatchUpdate {
  readonly header: ResponseHeader | undefined;
  readonly events: readonly Event[];
  readonly compactRevision: number;
  readonly canceled: boolean;
  readonly created: boolean;
  readonly cancelReason: string;
  /** Why the watch ended; undefined unless `canceled`. */
  readonly error: Error | undefined;
}

/** True for an update that says only how far the watch has come. */
export function isProgress(update: WatchUpdate): boolean {
  return (
    update.events.length === 0 &&
    !update.canceled &&
    !update.created &&
    update.compactRevision === 0 &&
    (update.header?.revision ?? 0) !== 0
  );
}

/** How a watcher acts on the stream that feeds it. */
export interface WatcherHooks {
  onFull(): void;
  onDrained(): void;
  onAbandoned(watcher: Watcher): void;
}

/**
 * One watch: iterate over its updates. After an update with `canceled` the iteration ends; leaving
 * it earlier cancels the watch. It survives reconnects without losing or repeating an event.
 */
export class Watcher implements AsyncIterable<WatchUpdate> {
  /** Resolves when the server has accepted the watch, or when it is over. */
  readonly established: Promise<void>;
  private readonly request: WatchCreateRequest;
  private readonly queue: AsyncQueue<WatchUpdate>;
  private readonly hooks: WatcherHooks;
  private fragments: Event[] = [];
  private establish: () => void = () => undefined;
  private over = false;
  /** The first revision not seen yet; 0: from now. */
  private nextRevision: number;

  constructor(options: WatchOptions, hooks: WatcherHooks) {
    const { requireLeader: _ofTheStream, ...fields } = options;
    this.request = WatchCreateRequestCodec.create(fields);
    this.nextRevision = this.request.startRevision;
    this.hooks = hooks;
    this.established = new Promise((resolve) => {
      this.establish = resolve;
    });
    const queueHooks: QueueHooks = {
      onFull: () => hooks.onFull(),
      onDrained: () => hooks.onDrained(),
      onAbandoned: () => this.cancel(),
    };
    this.queue = new AsyncQueue(UPDATE_BOUND, queueHooks);
  }

  get isOver(): boolean {
    return this.over;
  }

  /** Ends the watch; updates that already came can still be read. */
  cancel(): void {
    if (!this.over) {
      this.finish();
      this.hooks.onAbandoned(this);
    }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<WatchUpdate> {
    return this.queue;
  }

  /** The request that (re-)creates the watch where it stands. */
  createRequest(): WatchCreateRequest {
    return { ...this.request, startRevision: this.nextRevision };
  }

  /**
   * The server accepted the watch. Trap: an event with a revision up to the header's may still
   * come, so a watch "from now" resumes at that revision and not after it (reference: api 13.1).
   */
  accept(response: WatchResponse): void {
    this.fragments = [];
    if (this.nextRevision === 0) {
      this.nextRevision = response.header?.revision ?? 0;
    }
    this.establish();
  }

  /** Takes a response that is not `created`. */
  take(response: WatchResponse): void {
    if (response.fragment) {
      this.fragments.push(...response.events);
      return;
    }
    const events =
      this.fragments.length === 0 ? response.events : [...this.fragments, ...response.events];
    this.fragments = [];
    this.advance(events, response);
    this.queue.push(toUpdate(response, events));
    if (response.canceled) {
      this.finish();
    }
  }

  /** The server refused to create the watch. */
  reject(response: WatchResponse): void {
    const error = new Error(response.cancelReason);
    this.queue.push({ ...ENDED, canceled: true, error });
    this.finish();
  }

  /** The stream ended for good. */
  fail(error: RpcError): void {
    this.queue.push({ ...ENDED, canceled: true, error });
    this.finish();
  }

  finish(): void {
    this.over = true;
    this.queue.end();
    this.establish();
  }

  /**
   * Trap: in a catch-up the header's revision can exceed the last event while more events at or
   * below it follow; only a response without events vouches for it (reference: api 13.2).
   */
  private advance(events: readonly Event[], response: WatchResponse): void {
    const last = events.at(-1)?.kv;
    if (last !== undefined) {
      this.nextRevision = last.modRevision + 1;
    } else if (!response.canceled && (response.header?.revision ?? 0) >= this.nextRevision) {
      this.nextRevision = (response.header?.revision ?? 0) + 1;
    }
  }
}

const ENDED: WatchUpdate = {
  header: undefined,
  events: [],
  compactRevision: 0,
  canceled: false,
  created: false,
  cancelReason: '',
  error: undefined,
};

function toUpdate(response: WatchResponse, events: readonly Event[]): WatchUpdate {
  return {
    header: response.header,
    events,
    compactRevision: response.compactRevision,
    canceled: response.canceled,
    created: response.created,
    cancelReason: response.cancelReason,
    error: response.canceled ? cancelError(response) : undefined,
  };
}

/** Why the server cancelled (reference: api 8, Watch cancel errors). */
function cancelError(response: WatchResponse): RpcError {
  if (response.compactRevision !== 0) {
    return etcdError('Compacted');
  }
  if (response.cancelReason !== '') {
    return errorFromStatus(GrpcCode.FailedPrecondition, response.cancelReason);
  }
  return etcdError('FutureRev');
}
