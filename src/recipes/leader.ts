import { prefixEnd } from '../base/key-range.js';
import type { RangeResponse, ResponseHeader } from '../proto/gen/etcdserverpb/rpc.js';
import { Event_EventType, type KeyValue } from '../proto/gen/mvccpb/kv.js';
import { contenderPrefix, oldestUnder } from './contender.js';
import type { RecipeOptions, RecipeStore, WatchedEvents } from './store.js';

/** `election: not leader`, `election: no leader`. */
export class ElectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ElectionError';
  }
}

/** A leader's key, and the header of the response that brought it. */
export interface ObservedLeader {
  readonly header: ResponseHeader | undefined;
  readonly kv: KeyValue;
}

/**
 * The current leader's key.
 * @throws ElectionError `election: no leader`
 */
export async function currentLeader(
  store: RecipeStore,
  name: Buffer,
  options: RecipeOptions = {},
): Promise<ObservedLeader> {
  const { header, kvs } = await oldest(store, contenderPrefix(name), options);
  const [kv] = kvs;
  if (kv === undefined) throw new ElectionError('election: no leader');
  return { header, kv };
}

/**
 * The current leader, then every value it proclaims, then its successors. Ends when a watch is lost
 * or `options.signal` is aborted (reference: semantics 10).
 */
export async function* observeLeaders(
  store: RecipeStore,
  name: Buffer,
  options: RecipeOptions = {},
): AsyncGenerator<ObservedLeader> {
  const prefix = contenderPrefix(name);
  for (;;) {
    const { header, kvs } = await oldest(store, prefix, options);
    const [kv] = kvs;
    const leader =
      kv === undefined ? await firstPut(store, prefix, header, options) : { header, kv };
    if (leader === undefined) return;
    yield leader;
    const isGone = yield* proclamations(store, leader, options);
    if (!isGone) return;
  }
}

function oldest(
  store: RecipeStore,
  prefix: Buffer,
  options: RecipeOptions,
): Promise<RangeResponse> {
  return store.range(oldestUnder(prefix), options);
}

/** The values that a leader puts from now on; returns true when it resigns, false at a lost watch. */
async function* proclamations(
  store: RecipeStore,
  { header, kv }: ObservedLeader,
  options: RecipeOptions,
): AsyncGenerator<ObservedLeader, boolean> {
  const range = { key: kv.key, startRevision: (header?.revision ?? 0) + 1 };
  for await (const update of untilLost(store.watch(range, options))) {
    for (const event of update.events) {
      if (event.type === Event_EventType.DELETE) return true;
      if (event.kv !== undefined) yield { header: update.header, kv: event.kv };
    }
  }
  return false;
}

/** The first put under a prefix from now on; undefined if the watch is lost. */
async function firstPut(
  store: RecipeStore,
  prefix: Buffer,
  header: ResponseHeader | undefined,
  options: RecipeOptions,
): Promise<ObservedLeader | undefined> {
  const startRevision = header?.revision ?? 0;
  const range = { key: prefix, rangeEnd: prefixEnd(prefix), startRevision };
  for await (const update of untilLost(store.watch(range, options))) {
    // A deletion is no news: whoever would read again at once would spin.
    const put = update.events.find(({ type }) => type === Event_EventType.PUT);
    if (put?.kv === undefined) continue;
    return { header: at(update.header, put.kv.modRevision), kv: put.kv };
  }
  return undefined;
}

/** One response may bring several revisions: what comes after the first of them is still to see. */
function at(header: ResponseHeader | undefined, revision: number): ResponseHeader | undefined {
  return header === undefined ? undefined : { ...header, revision };
}

/** A cancelled watch is a lost one: an observer ends then without an error of its own. */
async function* untilLost(updates: AsyncIterable<WatchedEvents>): AsyncGenerator<WatchedEvents> {
  const iterator = updates[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch(() => undefined);
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
