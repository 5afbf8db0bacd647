import type { KeyText } from '../../base/bytes.js';
import type { WatchStream } from './watch-stream.js';

/** What a client asks of a new watcher, decoded and normalised. */
export interface WatcherOptions {
  readonly key: KeyText;
  /** Undefined: the single key. */
  readonly range: 'key' | { readonly end: KeyText | undefined };
  /** First revision of interest; 0: what comes after now. */
  readonly startRevision: number;
  readonly excludesPuts: boolean;
  readonly excludesDeletes: boolean;
  readonly wantsPreviousValues: boolean;
  /** Large responses may be split. */
  readonly wantsFragments: boolean;
  readonly wantsProgress: boolean;
}

/**
 * Where a watcher stands: `synced` gets changes as they happen, `unsynced` is being caught up from
 * the backend, `cancelled` met a compaction and stays registered until its client cancels it.
 */
export type WatcherState = 'synced' | 'unsynced' | 'cancelled';

/** One watcher of one stream. */
export interface Watcher {
  readonly id: bigint;
  readonly stream: WatchStream;
  readonly options: WatcherOptions;
  /** All changes below this revision are sent or not wanted. */
  minimumRevision: number;
  state: WatcherState;
  /** Something was sent since the last progress tick. */
  sentSinceTick: boolean;
}

/** A watcher sees variants of the same events: with previous values or not, puts, deletes or both. */
export function variantOf(options: WatcherOptions): number {
  return (
    (options.wantsPreviousValues ? 1 : 0) |
    (options.excludesPuts ? 2 : 0) |
    (options.excludesDeletes ? 4 : 0)
  );
}
