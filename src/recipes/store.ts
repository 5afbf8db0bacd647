import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import type { Event } from '../proto/gen/mvccpb/kv.js';

/** Bounds of one call of a recipe. */
export interface RecipeOptions {
  /** Gives the call up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What a recipe watches: one key, or a range of keys, from a revision on. */
export interface WatchedRange {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly startRevision: number;
}

/** Events of one response to a watch. */
export interface WatchedEvents {
  readonly header: ResponseHeader | undefined;
  readonly events: readonly Event[];
}

/**
 * The few operations of an etcd that locks and elections are made of. The client implements it over
 * the network, the server over its own services.
 */
export interface RecipeStore {
  range(request: Partial<RangeRequest>, options?: RecipeOptions): Promise<RangeResponse>;
  deleteRange(
    request: Partial<DeleteRangeRequest>,
    options?: RecipeOptions,
  ): Promise<DeleteRangeResponse>;
  txn(request: Partial<TxnRequest>, options?: RecipeOptions): Promise<TxnResponse>;
  /**
   * Watches until the iteration is left. It ends by itself when `options.signal` is aborted or the
   * store is closed, and throws why the watch was cancelled.
   */
  watch(range: WatchedRange, options: RecipeOptions): AsyncIterable<WatchedEvents>;
}
