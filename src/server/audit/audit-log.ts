import { GrpcCode, statusOf } from '../../proto/errors.js';
import { SERVICES } from '../../proto/services.js';
import type { CallContext, RpcMethod, UnaryHandler } from '../rpc/transport.js';
import { AuditLines, type AuditLinesOptions } from './audit-line.js';
import { AuditedCall } from './audited-call.js';
import { AuditedStream } from './audited-stream.js';
import { membersOrNone, requestMembers } from './field-scan.js';
import { REQUEST_FIELDS, responseReader } from './method-fields.js';
import { txnMembers } from './txn-members.js';

/** Operations that are listed of a transaction that was refused, and may be of any size. */
const MAX_REFUSED_OPERATIONS = 128;

/**
 * The same methods, each with a line in the audit log for every request, in the order in which they
 * end. A line is queued before its answer can leave.
 */
export function auditedMethods(
  methods: readonly RpcMethod[],
  options: AuditLinesOptions,
): RpcMethod[] {
  return methods.map((method) => {
    const { path, kind } = method;
    const lines = new AuditLines(path, options);
    if (kind === 'unary') return { path, kind, handle: auditedUnary(method, lines, options) };
    const streamOptions = { ...options, lines };
    return {
      path,
      kind,
      handle: (stream) => new AuditedStream(stream, streamOptions).serve(method.handle),
    };
  });
}

type UnaryMethod = Extract<RpcMethod, { kind: 'unary' }>;

function auditedUnary(
  { path, handle }: UnaryMethod,
  lines: AuditLines,
  { queue, clock }: AuditLinesOptions,
): UnaryHandler {
  const record = recorder(path, lines);
  const run = async (request: Buffer, context: CallContext): Promise<Uint8Array> => {
    const call = new AuditedCall(context, clock.monotonicMillis());
    let response: Uint8Array;
    try {
      response = await handle(request, call);
    } catch (error) {
      record(call, request, undefined, statusOf(error).code);
      throw error;
    }
    record(call, request, response, GrpcCode.OK);
    return response;
  };
  return (request, context) => {
    if (queue.hasRoom) return run(request, context);
    return new Promise((resolve, reject) => {
      queue.admit(() => resolve(run(request, context)), reject);
    });
  };
}

type Record = (
  call: AuditedCall,
  request: Buffer,
  response: Uint8Array | undefined,
  code: GrpcCode,
) => void;

function recorder(path: string, lines: AuditLines): Record {
  const requestFields = REQUEST_FIELDS.get(path) ?? [];
  const readResponse = responseReader(path);
  const isTxn = path === SERVICES.kv.txn.path;
  return (call, request, response, code) => {
    let isRead = lines.isRead;
    let members = '';
    if (isTxn) {
      const limit = code === GrpcCode.OK ? Number.POSITIVE_INFINITY : MAX_REFUSED_OPERATIONS;
      members = membersOrNone(() => {
        const txn = txnMembers(request, limit);
        isRead = txn.isReadOnly;
        return txn.members;
      });
    }
    if (!lines.wants(code, isRead)) return;
    if (!isTxn) members = requestMembers(request, requestFields);
    if (response !== undefined) members += readResponse(response);
    lines.write({
      call,
      started: call.started,
      members,
      requestBytes: request.length,
      responseBytes: response?.length ?? 0,
      code,
    });
  };
}
