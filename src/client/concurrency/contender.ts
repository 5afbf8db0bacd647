import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  PutRequest,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type RequestOp,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { Event_EventType } from '../../proto/gen/mvccpb/kv.js';
import type { CallOptions } from '../caller.js';
import { canceledError } from '../errors.js';
import { prefixEnd } from '../key-range.js';
import type { ConcurrencyClient, Session } from './session.js';

/** Prefix of all the keys that contend for `name`. */
export function contenderPrefix(name: Buffer): Buffer {
  return Buffer.concat([name, Buffer.from('/')]);
}

/** The key of a session among them: the lease in hexadecimal, without padding. */
export function contenderKey(prefix: Buffer, session: Session): Buffer {
  return Buffer.concat([prefix, Buffer.from(session.lease.toString(16))]);
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
 *
 * @throws CallError when `options.signal` is aborted.
 */
export async function waitForPredecessors(
  client: ConcurrencyClient,
  prefix: Buffer,
  revision: number,
  options: CallOptions,
): Promise<void> {
  for (;;) {
    const response = await client.kv.range(
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
    if (predecessor === undefined) {
      return;
    }
    await waitForDeletion(client, predecessor.key, response.header?.revision ?? 0, options);
  }
}

async function waitForDeletion(
  client: ConcurrencyClient,
  key: Buffer,
  startRevision: number,
  options: CallOptions,
): Promise<void> {
  const watcher = client.watch.watch({ key, startRevision });
  const stop = (): void => watcher.cancel();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const update of watcher) {
      if (update.error !== undefined) {
        throw update.error;
      }
      if (update.events.some((event) => event.type === Event_EventType.DELETE)) {
        return;
      }
    }
    if (options.signal?.aborted) {
      throw canceledError();
    }
    throw new Error('lost watcher waiting for delete');
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}
