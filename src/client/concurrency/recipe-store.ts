import type {
  RecipeOptions,
  RecipeStore,
  WatchedEvents,
  WatchedRange,
} from '../../recipes/store.js';
import type { ConcurrencyClient } from './session.js';

/** What recipes need, by calls of a client. */
export function recipeStore({ kv, watch }: ConcurrencyClient): RecipeStore {
  return {
    range: (request, options) => kv.range(request, options),
    deleteRange: (request, options) => kv.deleteRange(request, options),
    txn: (request, options) => kv.txn(request, options),
    watch: (range, options) => updates(watch, range, options),
  };
}

async function* updates(
  client: ConcurrencyClient['watch'],
  range: WatchedRange,
  { signal }: RecipeOptions,
): AsyncGenerator<WatchedEvents> {
  if (signal?.aborted) return;
  const watcher = client.watch(range);
  const stop = (): void => watcher.cancel();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const update of watcher) {
      if (update.error !== undefined) throw update.error;
      yield update;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    // Does nothing to a watch that is over.
    watcher.cancel();
  }
}
