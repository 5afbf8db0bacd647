import { isEtcdError } from '../../proto/errors.js';
import {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  type RangeRequest,
  TxnRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { encodeDeleteRangeResponse } from '../../proto/hot/delete-range.js';
import { decodeProposal } from '../../proto/hot/internal-request.js';
import { encodePutResponse } from '../../proto/hot/put.js';
import {
  decodeRangeRequest,
  encodeRangeResponse,
  encodeRangeStreamResponse,
} from '../../proto/hot/range.js';
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
import type { LocalMember } from '../local-member.js';
import { decodeRequest, drained, serverStreamMethod, unaryMethod } from './methods.js';
import type { RpcMethod, ServerStream } from './transport.js';

export interface KvServiceOptions {
  readonly member: LocalMember;
  /** Operations in one branch of a transaction. */
  readonly maxTxnOps: number;
  /** Guides the size of the messages of a RangeStream, bytes. */
  readonly maxRequestBytes: number;
}

/** etcdserverpb.KV (reference: api 9 to 12). */
export function kvService(options: KvServiceOptions): RpcMethod[] {
  const { member } = options;
  const { kv: definitions } = SERVICES;
  return [
    { path: definitions.range.path, kind: 'unary', handle: (bytes) => range(member, bytes) },
    { path: definitions.put.path, kind: 'unary', handle: (bytes) => put(member, bytes) },
    {
      path: definitions.deleteRange.path,
      kind: 'unary',
      handle: (bytes) => deleteRange(member, bytes),
    },
    { path: definitions.txn.path, kind: 'unary', handle: (bytes) => txn(options, bytes) },
    unaryMethod(definitions.compact, (request) => compact(member, request)),
    serverStreamMethod(definitions.rangeStream, (request, stream) =>
      rangeStream(options, request, stream),
    ),
  ];
}

const decodePut = (bytes: Buffer) => decodeProposal(PutRequest, bytes);
const decodeDelete = (bytes: Buffer) => decodeProposal(DeleteRangeRequest, bytes);
const decodeTxn = (bytes: Buffer) => decodeProposal(TxnRequest, bytes);

async function range(member: LocalMember, bytes: Buffer): Promise<Buffer> {
  const request = decodeRequest(decodeRangeRequest, bytes);
  checkRangeRequest(request);
  if (!request.serializable) await member.linearizableRead();
  const { revision, keyValues, more, count } = executeRange(member.store.reader, request);
  return encodeRangeResponse(member.encodeHeader(revision), keyValues, more, count);
}

async function put(member: LocalMember, bytes: Buffer): Promise<Buffer> {
  const { message: request, bytes: payload } = decodeRequest(decodePut, bytes);
  // Trap: space is looked at before the request itself.
  const cost = putCost(request);
  if (!member.quota.allows(cost)) await member.checkQuota(cost);
  checkPutRequest(request);
  const { revision, previous } = await member.propose('put', request, payload);
  return encodePutResponse(member.encodeHeader(revision), previous);
}

async function deleteRange(member: LocalMember, bytes: Buffer): Promise<Buffer> {
  const { message: request, bytes: payload } = decodeRequest(decodeDelete, bytes);
  checkDeleteRangeRequest(request);
  const { revision, deleted, previous } = await member.propose('deleteRange', request, payload);
  return encodeDeleteRangeResponse(member.encodeHeader(revision), deleted, previous);
}

async function txn({ member, maxTxnOps }: KvServiceOptions, bytes: Buffer): Promise<Buffer> {
  const { message: request, bytes: payload } = decodeRequest(decodeTxn, bytes);
  const cost = txnCost(request);
  if (!member.quota.allows(cost)) await member.checkQuota(cost);
  checkTxnRequest(request, maxTxnOps);
  if (isReadOnlyTxn(request)) {
    if (!isSerializableTxn(request)) await member.linearizableRead();
    const result = executeReadOnlyTxn(member.store, request);
    return encodeTxnResult(member.encodeHeader(result.revision), result);
  }
  const result = await member.propose('txn', request, payload);
  return encodeTxnResult(member.encodeHeader(result.revision), result);
}

async function compact(member: LocalMember, request: CompactionRequest) {
  const payload = CompactionRequest.encode(request).finish();
  try {
    const { revision, finished } = await member.propose('compaction', request, payload);
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
  { member, maxRequestBytes }: KvServiceOptions,
  request: RangeRequest,
  stream: ServerStream,
): Promise<void> {
  checkRangeStreamRequest(request);
  if (!request.serializable) await member.linearizableRead();
  const chunks = new RangeStream(member.store, request, maxRequestBytes);
  const { signal } = stream.context;
  for (let chunk = chunks.next(); chunk !== undefined; chunk = chunks.next()) {
    if (signal.aborted) return;
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
