import type {
  CompactionRequest,
  CompactionResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import { RangeResponse as RangeResponseCodec } from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import type { Caller, CallOptions } from './caller.js';

const { kv } = SERVICES;

/** etcdserverpb.KV. Fields left out of a request have their defaults. */
export class KvClient {
  private readonly caller: Caller;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  range(request: Partial<RangeRequest>, options?: CallOptions): Promise<RangeResponse> {
    return this.caller.call(kv.range, request, options);
  }

  /** One response made of the chunks of a RangeStream (etcd 3.7). */
  async rangeStream(request: Partial<RangeRequest>, options?: CallOptions): Promise<RangeResponse> {
    const merged = RangeResponseCodec.create();
    for await (const { rangeResponse } of this.caller.serverStream(
      kv.rangeStream,
      request,
      options,
    )) {
      if (rangeResponse === undefined) {
        continue;
      }
      // Only the last message has a header (reference: api 6).
      merged.header = rangeResponse.header ?? merged.header;
      merged.more = rangeResponse.more;
      merged.count = rangeResponse.count;
      for (const keyValue of rangeResponse.kvs) {
        merged.kvs.push(keyValue);
      }
    }
    return merged;
  }

  put(request: Partial<PutRequest>, options?: CallOptions): Promise<PutResponse> {
    return this.caller.call(kv.put, request, options);
  }

  deleteRange(
    request: Partial<DeleteRangeRequest>,
    options?: CallOptions,
  ): Promise<DeleteRangeResponse> {
    return this.caller.call(kv.deleteRange, request, options);
  }

  txn(request: Partial<TxnRequest>, options?: CallOptions): Promise<TxnResponse> {
    return this.caller.call(kv.txn, request, options);
  }

  compact(request: Partial<CompactionRequest>, options?: CallOptions): Promise<CompactionResponse> {
    return this.caller.call(kv.compact, request, options);
  }
}
