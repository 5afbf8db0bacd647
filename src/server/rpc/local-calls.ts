import { asBuffer } from '../../base/bytes.js';
import { etcdError } from '../../proto/errors.js';
import {
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { type RpcDefinition, SERVICES } from '../../proto/services.js';
import type {
  RecipeOptions,
  RecipeStore,
  WatchedEvents,
  WatchedRange,
} from '../../recipes/store.js';
import { LocalStream } from './local-stream.js';
import type { CallContext, RpcMethod } from './transport.js';

/** Of a call that nobody gives up. */
const NEVER_ABORTED = new AbortController().signal;

/**
 * Calls of a service to its neighbours, on behalf of a client: through the same handlers as the
 * client's own calls and with its metadata, so that whatever they check is checked here too.
 */
export class LocalCalls {
  readonly #methods: ReadonlyMap<string, RpcMethod>;

  constructor(methods: readonly RpcMethod[]) {
    this.#methods = new Map(methods.map((method) => [method.path, method]));
  }

  /**
   * @throws what the handler throws; RpcError with the code Canceled once the signal is aborted
   */
  async call<Request, Response>(
    { path, request: codec, response }: RpcDefinition<Request, Response, 'unary'>,
    request: Partial<Request>,
    client: CallContext,
    { signal }: RecipeOptions = {},
  ): Promise<Response> {
    const method = this.#methods.get(path);
    if (method?.kind !== 'unary') throw new Error(`no local method ${path}`);
    if (signal?.aborted) throw etcdError('ContextCanceled');
    const { metadata, peer, commonName, deadlineMillis } = client;
    const context: CallContext = {
      method: path,
      metadata,
      peer,
      commonName,
      deadlineMillis,
      signal: signal ?? NEVER_ABORTED,
      identified: (username) => client.identified?.(username),
    };
    const bytes = asBuffer(codec.encode(codec.create(request)).finish());
    return response.decode(await method.handle(bytes, context));
  }

  /** What recipes need, on behalf of `client`. */
  recipeStore(client: CallContext): RecipeStore {
    const { kv } = SERVICES;
    return {
      range: (request, options) => this.call(kv.range, request, client, options),
      deleteRange: (request, options) => this.call(kv.deleteRange, request, client, options),
      txn: (request, options) => this.call(kv.txn, request, client, options),
      watch: (range, options) => this.#watch(range, client, options),
    };
  }

  async *#watch(
    range: WatchedRange,
    client: CallContext,
    { signal }: RecipeOptions,
  ): AsyncGenerator<WatchedEvents> {
    const { path } = SERVICES.watch.watch;
    const method = this.#methods.get(path);
    if (method === undefined || method.kind === 'unary') throw new Error(`no local method ${path}`);
    if (signal?.aborted) return;
    const { metadata, peer, commonName, deadlineMillis } = client;
    const stream = new LocalStream(
      {
        method: path,
        metadata,
        peer,
        commonName,
        deadlineMillis,
        identified: (username) => client.identified?.(username),
      },
      signal,
    );
    method.handle(stream);
    const value = WatchCreateRequest.create(range);
    const request = WatchRequest.create({ requestUnion: { $case: 'createRequest', value } });
    stream.request(asBuffer(WatchRequest.encode(request).finish()));
    for await (const bytes of stream) {
      const { header, events, canceled, compactRevision, cancelReason } =
        WatchResponse.decode(bytes);
      if (canceled) {
        throw compactRevision === 0 ? new Error(cancelReason) : etcdError('Compacted');
      }
      if (events.length > 0) yield { header, events };
    }
  }
}
