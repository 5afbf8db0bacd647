import {
  DeleteRangeRequest,
  type RangeResponse,
  type ResponseHeader,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { Event_EventType, type KeyValue } from '../../proto/gen/mvccpb/kv.js';
import type { CallOptions } from '../caller.js';
import { prefixEnd } from '../key-range.js';
import type { WatchUpdate } from '../watcher.js';
import {
  contenderKey,
  contenderPrefix,
  createRevisionIs,
  getOperation,
  oldestUnder,
  putOperation,
  waitForPredecessors,
} from './contender.js';
import type { ConcurrencyClient, Session } from './session.js';

/** `election: not leader`, `election: no leader`. */
export class ElectionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ElectionError';
  }
}

/** A leadership that sessions contend for (reference: semantics 10). */
export class Election {
  readonly session: Session;
  /** The key that stands for this session. */
  readonly key: Buffer;
  private readonly prefix: Buffer;
  private leadingSince = 0;
  private firstHeader: ResponseHeader | undefined;

  constructor(session: Session, name: Buffer) {
    this.session = session;
    this.prefix = contenderPrefix(name);
    this.key = contenderKey(this.prefix, session);
  }

  /** Revision that created the key; 0 if not leading. */
  get createRevision(): number {
    return this.leadingSince;
  }

  /** The header of the campaign's first answer. */
  get header(): ResponseHeader | undefined {
    return this.firstHeader;
  }

  /**
   * Stands for election with `value` and waits until elected. If the wait is cancelled, the
   * candidacy is withdrawn.
   *
   * @throws CallError when `options.signal` is aborted.
   */
  async campaign(value: Buffer, options: CallOptions = {}): Promise<void> {
    const { client, lease } = this.session;
    const response = await client.kv.txn(
      {
        compare: [createRevisionIs(this.key, 0)],
        success: [putOperation({ key: this.key, value, lease })],
        failure: [getOperation({ key: this.key })],
      },
      options,
    );
    this.firstHeader = response.header;
    this.leadingSince = response.header?.revision ?? 0;
    const own = response.responses[0]?.response;
    if (!response.succeeded && own?.$case === 'responseRange') {
      const [existing] = own.value.kvs;
      this.leadingSince = existing?.createRevision ?? 0;
      if (existing !== undefined && !existing.value.equals(value)) {
        await this.proclaim(value, options);
      }
    }
    try {
      await waitForPredecessors(client, this.prefix, this.leadingSince, options);
    } catch (error) {
      if (options.signal?.aborted) {
        await this.resign();
      }
      throw error;
    }
  }

  /** @throws ElectionError `election: not leader` */
  async proclaim(value: Buffer, options: CallOptions = {}): Promise<void> {
    const { client, lease } = this.session;
    const response = await client.kv.txn(
      {
        compare: [createRevisionIs(this.key, this.leadingSince)],
        success: [putOperation({ key: this.key, value, lease })],
      },
      options,
    );
    if (this.leadingSince === 0 || !response.succeeded) {
      this.leadingSince = 0;
      throw new ElectionError('election: not leader');
    }
  }

  /** Gives the leadership up; not leading is success too. */
  async resign(options: CallOptions = {}): Promise<void> {
    if (this.leadingSince === 0) {
      return;
    }
    const value = DeleteRangeRequest.create({ key: this.key });
    await this.session.client.kv.txn(
      {
        compare: [createRevisionIs(this.key, this.leadingSince)],
        success: [{ request: { $case: 'requestDeleteRange', value } }],
      },
      options,
    );
    this.leadingSince = 0;
  }
}

/**
 * The current leader's key.
 *
 * @throws ElectionError `election: no leader`
 */
export async function currentLeader(
  client: ConcurrencyClient,
  name: Buffer,
  options: CallOptions = {},
): Promise<RangeResponse> {
  const response = await client.kv.range(oldestUnder(contenderPrefix(name)), options);
  if (response.kvs.length === 0) {
    throw new ElectionError('election: no leader');
  }
  return response;
}

/**
 * The current leader, then every later leader and every value a leader proclaims. Ends when a
 * watch is lost or `signal` is aborted.
 */
export async function* observeLeaders(
  client: ConcurrencyClient,
  name: Buffer,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<RangeResponse> {
  const prefix = contenderPrefix(name);
  for (;;) {
    const response = await client.kv.range(oldestUnder(prefix), options);
    const leader = response.kvs[0] ?? (await firstPut(client, prefix, response.header, options));
    if (leader === undefined) {
      return;
    }
    const header = response.kvs.length > 0 ? response.header : at(response.header, leader);
    yield { header, kvs: [leader], more: false, count: 0 };
    const startRevision = (header?.revision ?? 0) + 1;
    let deleted = false;
    for await (const update of updates(client, { key: leader.key, startRevision }, options)) {
      for (const event of update.events) {
        if (event.type === Event_EventType.DELETE) {
          deleted = true;
          break;
        }
        const kvs = event.kv === undefined ? [] : [event.kv];
        yield { ...response, header: update.header, kvs };
      }
      if (deleted) {
        break;
      }
    }
    if (!deleted) {
      return;
    }
  }
}

/** The first put under a prefix from now on; undefined if the watch is lost. */
async function firstPut(
  client: ConcurrencyClient,
  prefix: Buffer,
  header: ResponseHeader | undefined,
  options: { readonly signal?: AbortSignal },
): Promise<KeyValue | undefined> {
  const range = { key: prefix, rangeEnd: prefixEnd(prefix), startRevision: header?.revision ?? 0 };
  for await (const update of updates(client, range, options)) {
    const put = update.events.find((event) => event.type === Event_EventType.PUT);
    if (put?.kv !== undefined) {
      return put.kv;
    }
  }
  return undefined;
}

function at(header: ResponseHeader | undefined, leader: KeyValue): ResponseHeader | undefined {
  return header === undefined ? undefined : { ...header, revision: leader.modRevision };
}

/** A watch's updates until it fails or `signal` is aborted. */
async function* updates(
  client: ConcurrencyClient,
  range: { readonly key: Buffer; readonly rangeEnd?: Buffer; readonly startRevision: number },
  options: { readonly signal?: AbortSignal },
): AsyncGenerator<WatchUpdate> {
  if (options.signal?.aborted) {
    return;
  }
  const watcher = client.watch.watch(range);
  const stop = (): void => watcher.cancel();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const update of watcher) {
      if (update.error !== undefined) {
        return;
      }
      yield update;
    }
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
}
