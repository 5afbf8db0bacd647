import { prefixEnd } from '../base/key-range.js';
import { etcdError } from '../proto/errors.js';
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
} from '../proto/gen/etcdserverpb/rpc.js';
import { Event_EventType } from '../proto/gen/mvccpb/kv.js';
import type { RecipeOptions, RecipeStore } from './store.js';

/** TTL of the lease of a contender that names none, seconds (reference: semantics 10). */
export const DEFAULT_SESSION_TTL_SECONDS = 60;

/** Prefix of all the keys that contend for `name`. */
export function contenderPrefix(name: Buffer): Buffer {
  return Buffer.concat([name, Buffer.from('/')]);
}

/** The key of a lease among them: its id in hexadecimal, without padding. */
export function contenderKey(prefix: Buffer, lease: bigint): Buffer {
  return Buffer.concat([prefix, Buffer.from(lease.toString(16))]);
}

/** Compares the revision that created a key; 0: the key does not exist. */
export function createRevisionIs(key: Buffer, revision: number): Compare {
  return Compare.create({
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.CREATE,
    key,
    targetUnion: { $case: 'createRevision', value: revision },
  });
}

export function putOperation(fields: Partial<PutRequest>): RequestOp {
  return { request: { $case: 'requestPut', value: PutRequest.create(fields) } };
}

export function getOperation(fields: Partial<RangeRequest>): RequestOp {
  return { request: { $case: 'requestRange', value: RangeRequest.create(fields) } };
}

/** The request for the oldest key under a prefix. */
export function oldestUnder(prefix: Buffer): Partial<RangeRequest> {
  return {
    key: prefix,
    rangeEnd: prefixEnd(prefix),
    sortOrder: RangeRequest_SortOrder.ASCEND,
    sortTarget: RangeRequest_SortTarget.CREATE,
    limit: 1,
  };
}

/**
 * Waits until no key under `prefix` is older than one created at `revision`. Only the nearest
 * predecessor is watched, so that one departure wakes one waiter (reference: semantics 10).
 * @throws RpcError with the code Canceled when `options.signal` is aborted
 */
export async function waitForPredecessors(
  store: RecipeStore,
  prefix: Buffer,
  revision: number,
  options: RecipeOptions,
): Promise<void> {
  for (;;) {
    const response = await store.range(
      {
        key: prefix,
        rangeEnd: prefixEnd(prefix),
        sortOrder: RangeRequest_SortOrder.DESCEND,
        sortTarget: RangeRequest_SortTarget.CREATE,
        maxCreateRevision: revision - 1,
        limit: 1,
      },
      options,
    );
    const [predecessor] = response.kvs;
    if (predecessor === undefined) return;
    await waitForDeletion(store, predecessor.key, response.header?.revision ?? 0, options);
  }
}

async function waitForDeletion(
  store: RecipeStore,
  key: Buffer,
  startRevision: number,
  options: RecipeOptions,
): Promise<void> {
  for await (const { events } of store.watch({ key, startRevision }, options)) {
    if (events.some(({ type }) => type === Event_EventType.DELETE)) return;
  }
  if (options.signal?.aborted) throw etcdError('ContextCanceled');
  throw new Error('lost watcher waiting for delete');
}
