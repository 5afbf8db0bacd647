import { isEtcdError } from '../../proto/errors.js';
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { encodeDeleteRangeResponse } from '../../proto/hot/delete-range.js';
import { decodeProposal } from '../../proto/hot/internal-request.js';
import { encodePutResponse } from '../../proto/hot/put.js';
import { encodeRangeResponse, encodeRangeStreamResponse } from '../../proto/hot/range.js';
import { SERVICES } from '../../proto/services.js';
import { putCost, txnCost } from '../apply/kv/cost.js';
import { encodeTxnResult } from '../apply/kv/encode-txn.js';
import { isReadOnlyTxn, isSerializableTxn } from '../apply/kv/is-read-only.js';
import { executeRange } from '../apply/kv/range.js';
import { type RangeChunk, RangeStream } from '../apply/kv/range-stream.js';
import { executeReadOnlyTxn } from '../apply/kv/txn.js';
import {
  checkDeleteRangeRequest,
  checkPutRequest,
  checkRangeRequest,
  checkRangeStreamRequest,
  checkTxnRequest,
} from '../apply/kv/validate.js';
import { ANONYMOUS } from '../auth/caller.js';
import type { LocalMember } from '../local-member.js';
import type { Callers } from './callers.js';
import { decodeRequest, drained, serverStreamMethod, unaryMethod } from './methods.js';
import type { CallContext, RpcMethod, ServerStream } from './transport.js';

export interface KvServiceOptions {
  readonly member: LocalMember;
  readonly callers: Callers;
  /** Operations in one branch of a transaction. */
  readonly maxTxnOps: number;
  /** Guides the size of the messages of a RangeStream, bytes. */
  readonly maxRequestBytes: number;
}

/** etcdserverpb.KV (reference: api 9 to 12). */
export function kvService(options: KvServiceOptions): RpcMethod[] {
  const { kv: definitions } = SERVICES;
  return [
    hotMethod(definitions.range.path, range, options),
    hotMethod(definitions.put.path, put, options),
    hotMethod(definitions.deleteRange.path, deleteRange, options),
    hotMethod(definitions.txn.path, txn, options),
    unaryMethod(definitions.compact, (request, context) => compact(options, request, context)),
    serverStreamMethod(definitions.rangeStream, (request, stream) =>
      rangeStream(options, request, stream),
    ),
  ];
}

type HotHandler = (
  options: KvServiceOptions,
  bytes: Buffer,
  context: CallContext,
) => Promise<Buffer>;

function hotMethod(path: string, handle: HotHandler, options: KvServiceOptions): RpcMethod {
  return { path, kind: 'unary', handle: (bytes, context) => handle(options, bytes, context) };
}

const decodePut = (bytes: Buffer) => decodeProposal(PutRequest, bytes);
const decodeDelete = (bytes: Buffer) => decodeProposal(DeleteRangeRequest, bytes);
const decodeTxn = (bytes: Buffer) => decodeProposal(TxnRequest, bytes);

async function range(
  { member, callers }: KvServiceOptions,
  bytes: Buffer,
  context: CallContext,
): Promise<Buffer> {
  const request = decodeRequest(RangeRequest.decode, bytes);
  checkRangeRequest(request);
  if (!request.serializable) await member.linearizableRead();
  if (callers.enabled) {
    // What follows happens at once: no change of rights can come between check and read.
    member.authorizer.requireRead(await callers.of(context), request.key, request.rangeEnd);
  }
  const { revision, keyValues, more, count } = executeRange(member.store.reader, request);
  return encodeRangeResponse(member.encodeHeader(revision), keyValues, more, count);
}

async function put(
  { member, callers }: KvServiceOptions,
  bytes: Buffer,
  context: CallContext,
): Promise<Buffer> {
  const { message: request, bytes: payload } = decodeRequest(decodePut, bytes);
  // Trap: space is looked at before the request itself.
  const cost = putCost(request);
  if (!member.quota.allows(cost)) await member.checkQuota(cost);
  checkPutRequest(request);
  const caller = callers.enabled ? await callers.of(context) : ANONYMOUS;
  const { revision, previous } = await member.propose('put', request, payload, caller);
  return encodePutResponse(member.encodeHeader(revision), previous);
}

async function deleteRange(
  { member, callers }: KvServiceOptions,
  bytes: Buffer,
  context: CallContext,
): Promise<Buffer> {
  const { message: request, bytes: payload } = decodeRequest(decodeDelete, bytes);
  checkDeleteRangeRequest(request);
  const caller = callers.enabled ? await callers.of(context) : ANONYMOUS;
  const result = await member.propose('deleteRange', request, payload, caller);
  const { revision, deleted, previous } = result;
  return encodeDeleteRangeResponse(member.encodeHeader(revision), deleted, previous);
}

async function txn(
  { member, callers, maxTxnOps }: KvServiceOptions,
  bytes: Buffer,
  context: CallContext,
): Promise<Buffer> {
  const { message: request, bytes: payload } = decodeRequest(decodeTxn, bytes);
  const cost = txnCost(request);
  if (!member.quota.allows(cost)) await member.checkQuota(cost);
  checkTxnRequest(request, maxTxnOps);
  if (isReadOnlyTxn(request)) {
    if (!isSerializableTxn(request)) await member.linearizableRead();
    if (callers.enabled) member.authorizer.requireTxn(await callers.of(context), request);
    const result = executeReadOnlyTxn(member.store, request);
    return encodeTxnResult(member.encodeHeader(result.revision), result);
  }
  const caller = callers.enabled ? await callers.of(context) : ANONYMOUS;
  const result = await member.propose('txn', request, payload, caller);
  return encodeTxnResult(member.encodeHeader(result.revision), result);
}

async function compact(
  { member, callers }: KvServiceOptions,
  request: CompactionRequest,
  context: CallContext,
) {
  const caller = await callers.admin(context);
  const payload = CompactionRequest.encode(request).finish();
  try {
    const { revision, finished } = await member.propose('compaction', request, payload, caller);
    if (request.physical) await finished;
    return { header: member.header(revision) };
  } catch (error) {
    // Who asks for what is compacted already still wants to see its rows gone.
    if (request.physical && isEtcdError(error, 'Compacted')) {
      await member.store.whenCompactionsEnd();
    }
    throw error;
  }
}

async function rangeStream(
  { member, callers, maxRequestBytes }: KvServiceOptions,
  request: RangeRequest,
  stream: ServerStream,
): Promise<void> {
  checkRangeStreamRequest(request);
  if (!request.serializable) await member.linearizableRead();
  const caller = callers.enabled ? await callers.of(stream.context) : ANONYMOUS;
  member.authorizer.requireRead(caller, request.key, request.rangeEnd);
  const chunks = new RangeStream(member.store, request, maxRequestBytes);
  const { signal } = stream.context;
  for (let chunk = chunks.next(); chunk !== undefined; chunk = chunks.next()) {
    if (signal.aborted) return;
    member.authorizer.requireUnchanged(caller);
    if (!stream.send(encodeChunk(member, chunk))) await drained(stream, signal);
  }
  stream.end();
}

function encodeChunk(member: LocalMember, { keyValues, summary }: RangeChunk): Buffer {
  const response =
    summary === undefined
      ? encodeRangeResponse(undefined, keyValues, false, 0)
      : encodeRangeResponse(
          member.encodeHeader(summary.revision),
          keyValues,
          summary.more,
          summary.count,
        );
  return encodeRangeStreamResponse(response);
}
