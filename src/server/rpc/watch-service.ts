import { asBuffer, type KeyText, keyText } from '../../base/bytes.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { EtcdError, type EtcdErrorName, etcdError, grpcErrorText } from '../../proto/errors.js';
import {
  WatchCreateRequest_FilterType as FilterType,
  type WatchCreateRequest,
  WatchRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import {
  encodeEventList,
  encodeWatchResponse,
  eventListSize,
  type WatchResponseFields,
  watchResponseSize,
} from '../../proto/hot/watch.js';
import { SERVICES } from '../../proto/services.js';
import type { Authorizer } from '../auth/authorizer.js';
import type { Caller } from '../auth/caller.js';
import { splitEvents } from '../watch/fragments.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { WatchMessage, WatchStream } from '../watch/watch-stream.js';
import type { WatcherOptions } from '../watch/watcher.js';
import type { Callers } from './callers.js';
import { decodeRequest } from './methods.js';
import type { RpcMethod, ServerStream } from './transport.js';

export interface WatchServiceOptions {
  readonly hub: WatchHub;
  readonly callers: Callers;
  readonly authorizer: Authorizer;
  readonly clock: Pick<Clock, 'setPeriodic' | 'defer'>;
  readonly random: Pick<Random, 'float'>;
  /** Encoded response header with that revision, in the current term. */
  readonly encodeHeader: (revision: number) => Uint8Array;
  /** Time between progress responses to watchers that asked for them, ms. */
  readonly progressIntervalMillis: number;
  /** Larger responses are split for watchers that allow it, bytes. */
  readonly fragmentLimitBytes: number;
}

/** etcdserverpb.Watch (reference: api 13). */
export function watchService(options: WatchServiceOptions): RpcMethod[] {
  const { path } = SERVICES.watch.watch;
  return [
    { path, kind: 'bidiStream', handle: (stream) => new WatchSession(options, stream).start() },
  ];
}

/**
 * Answers that may wait for a client to read them. One that goes on asking and does not read is no
 * client but a flood.
 */
const MAX_QUEUED_ANSWERS = 100_000;

/** The single byte that as a range end means "all keys from here on". */
const FROM_KEY_END: KeyText = '\0';

/** The smallest key there is. */
const FIRST_KEY = Buffer.of(0);

/** One client stream: decodes its requests, encodes and sends what its watchers see. */
class WatchSession {
  readonly #options: WatchServiceOptions;
  readonly #stream: ServerStream;
  readonly #watches: WatchStream;
  readonly #progress: Timer;
  #writable = true;
  #pumpScheduled = false;
  /** Requests that wait until it is known who makes the one before them; undefined: none does. */
  #held: Buffer[] | undefined;

  constructor(options: WatchServiceOptions, stream: ServerStream) {
    this.#options = options;
    this.#stream = stream;
    this.#watches = options.hub.newStream(() => this.#schedulePump());
    // Spread over up to a tenth of the interval, so that many streams do not tick at once.
    const interval = options.progressIntervalMillis * (1 + options.random.float() / 10);
    this.#progress = options.clock.setPeriodic(interval, () => this.#watches.tickProgress());
  }

  start(): void {
    // A client's half-close means nothing here: events keep flowing until it resets the stream.
    this.#stream.onMessage((message) => this.#receive(message));
    this.#stream.onDrain(() => {
      this.#writable = true;
      this.#pump();
    });
    this.#stream.onClose(() => {
      this.#progress.cancel();
      this.#watches.close();
    });
    this.#stream.context.signal.addEventListener('abort', () => {
      this.#stream.end(etcdError('WatchCanceled'));
    });
  }

  #receive(message: Buffer): void {
    if (this.#held !== undefined && this.#held.length < MAX_QUEUED_ANSWERS) {
      this.#held.push(message);
      return;
    }
    try {
      this.#handle(message);
    } catch (error) {
      this.#stream.end(error);
    }
  }

  #handle(message: Buffer): void {
    if (this.#held !== undefined || this.#watches.queued >= MAX_QUEUED_ANSWERS) {
      this.#stream.end(new Error('etcdkit: too many watch requests are queued'));
      return;
    }
    const { requestUnion: request } = decodeRequest(WatchRequest.decode, message);
    switch (request?.$case) {
      case 'createRequest':
        this.#create(request.value);
        return;
      case 'cancelRequest':
        this.#watches.cancel(request.value.watchId);
        return;
      case 'progressRequest':
        this.#watches.requestProgress();
        return;
      default:
      // An empty request is ignored, as in etcd.
    }
  }

  #create(request: WatchCreateRequest): void {
    if (request.startRevision < 0) {
      this.#watches.reject(etcdError('Compacted').message);
      return;
    }
    const { callers } = this.#options;
    if (callers.enabled) this.#createIfAllowed(request);
    else this.#watches.create(request.watchId, watcherOptions(request));
  }

  #createIfAllowed(request: WatchCreateRequest): void {
    const { callers } = this.#options;
    let caller: Caller | Promise<Caller>;
    try {
      caller = callers.of(this.#stream.context);
    } catch (error) {
      this.#watches.reject(refusalOf(error));
      return;
    }
    if (!(caller instanceof Promise)) {
      this.#createFor(caller, request);
      return;
    }
    this.#held = [];
    caller
      .then(
        (known) => this.#createFor(known, request),
        (error: unknown) => this.#watches.reject(refusalOf(error)),
      )
      .then(() => {
        const held = this.#held ?? [];
        this.#held = undefined;
        for (const message of held) this.#receive(message);
      })
      .catch((error: unknown) => this.#stream.end(error));
  }

  /**
   * Trap: the right is checked with the range end as the client sent it. Brought into another form
   * first, `\0` could pass for a single key, and its reader would see all keys after it.
   */
  #createFor(caller: Caller, request: WatchCreateRequest): void {
    const key = request.key.length === 0 ? FIRST_KEY : request.key;
    try {
      this.#options.authorizer.requireRead(caller, key, request.rangeEnd);
    } catch (error) {
      this.#watches.reject(refusalOf(error));
      return;
    }
    this.#watches.create(request.watchId, watcherOptions(request));
  }

  /** Sends at the end of the turn: what one batch of writes causes goes out together. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    this.#options.clock.defer(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#writable) {
      const message = this.#watches.take();
      if (message === undefined) return;
      this.#send(message);
    }
  }

  #send(message: WatchMessage): void {
    const header = this.#options.encodeHeader(message.revision);
    const fields = responseFields(message);
    if (message.mayFragment && message.events.length > 1) {
      const overhead = watchResponseSize(header, fields, 0);
      const limit = this.#options.fragmentLimitBytes;
      const { events } = message.events;
      if (overhead + eventListSize(events) >= limit) {
        this.#sendFragments(header, fields, splitEvents(events, limit, overhead));
        return;
      }
    }
    const list = message.events.length > 0 ? message.events.encoded : undefined;
    this.#write(encodeWatchResponse(header, fields, list));
  }

  #sendFragments(
    header: Uint8Array,
    fields: WatchResponseFields,
    parts: readonly (readonly Buffer[])[],
  ): void {
    parts.forEach((events, position) => {
      const fragment = position < parts.length - 1;
      this.#write(encodeWatchResponse(header, { ...fields, fragment }, encodeEventList(events)));
    });
  }

  #write(response: Buffer): void {
    if (!this.#stream.send(response)) this.#writable = false;
  }
}

/** Reasons that a refused watcher learns; every other one looks like a lack of rights. */
const TOLD_REASONS: ReadonlySet<EtcdErrorName> = new Set([
  'InvalidAuthToken',
  'AuthOldRevision',
  'UserEmpty',
] as const);

/** Why a watcher was refused, as Go prints the status (reference: api 13.1). */
function refusalOf(error: unknown): string {
  const isTold = error instanceof EtcdError && TOLD_REASONS.has(error.reason);
  return grpcErrorText(isTold ? error : etcdError('PermissionDenied'));
}

function responseFields(message: WatchMessage): WatchResponseFields {
  const { watchId, created, canceled, compactRevision, cancelReason } = message;
  return { watchId, created, canceled, compactRevision, cancelReason };
}

function watcherOptions(request: WatchCreateRequest): WatcherOptions {
  const key = request.key.length === 0 ? FROM_KEY_END : keyText(request.key);
  const end = keyText(asBuffer(request.rangeEnd));
  return {
    key,
    range: end === '' ? 'key' : { end: end === FROM_KEY_END ? undefined : end },
    startRevision: request.startRevision,
    excludesPuts: request.filters.includes(FilterType.NOPUT),
    excludesDeletes: request.filters.includes(FilterType.NODELETE),
    wantsPreviousValues: request.prevKv,
    wantsFragments: request.fragment,
    wantsProgress: request.progressNotify,
  };
}
