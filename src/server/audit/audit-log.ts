import { GrpcCode, statusOf } from '../../proto/errors.js';
import { SERVICES } from '../../proto/services.js';
import type { IdentifiedCall, RpcMethod, UnaryHandler, UnaryRecorder } from '../rpc/transport.js';
import { AuditLines, type AuditLinesOptions, KnownCallers } from './audit-line.js';
import { type AuditQueue, AuditRefusal } from './audit-queue.js';
import { AuditedStream } from './audited-stream.js';
import { fieldEnd, MAX_EXCERPT_BYTES, putValueStart } from './excerpts.js';
import { membersOrNone, requestMembers } from './field-scan.js';
import { REQUEST_FIELDS, responseReader } from './method-fields.js';
import { txnMembers } from './txn-members.js';

/** Operations that are listed of a transaction that was refused, and may be of any size. */
const MAX_REFUSED_OPERATIONS = 128;

/**
 * The same methods, each with a line in the audit log for every request, in the order in which they
 * end. A record is queued before its answer can leave.
 */
export function auditedMethods(
  methods: readonly RpcMethod[],
  options: AuditLinesOptions,
): RpcMethod[] {
  const callers = new KnownCallers();
  return methods.map((method): RpcMethod => {
    const { path, kind } = method;
    const lines = new AuditLines(path, { ...options, callers });
    if (kind === 'unary') {
      const handle = admitted(method.handle, options.queue);
      return { path, kind, handle, recorder: unaryRecorder(path, lines, options) };
    }
    const streamOptions = { ...options, lines };
    return {
      path,
      kind,
      handle: (stream) => new AuditedStream(stream, streamOptions).serve(method.handle),
    };
  });
}

/** @throws AuditRefusal later on, if the request may not begin in time */
function admitted(handle: UnaryHandler, queue: AuditQueue): UnaryHandler {
  return (request, context) => {
    if (queue.hasRoom) return handle(request, context);
    return new Promise<void>((begin, refuse) => {
      queue.admit(begin, refuse);
    }).then(() => handle(request, context));
  };
}

function unaryRecorder(
  path: string,
  lines: AuditLines,
  { clock }: AuditLinesOptions,
): UnaryRecorder {
  const write = path === SERVICES.kv.txn.path ? txnWriter(lines) : fieldsWriter(path, lines);
  return {
    started: () => clock.monotonicMillis(),
    answered: answeredOf(path, lines, write),
    refused(call, request, started, error) {
      // It did nothing.
      if (error instanceof AuditRefusal) return;
      write(call, request, started, undefined, statusOf(error).code);
    },
  };
}

type Write = (
  call: IdentifiedCall,
  request: Buffer,
  started: number,
  response: Uint8Array | undefined,
  code: GrpcCode,
) => void;

/** Puts and gets leave the reading of their fields to the thread of the audit log. */
function answeredOf(path: string, lines: AuditLines, write: Write): UnaryRecorder['answered'] {
  const { put, range } = SERVICES.kv;
  if (path === put.path) {
    return (call, request, started, response) => {
      const cut = putValueStart(request);
      const cutEnd = cut < 0 ? -1 : fieldEnd(request, cut);
      const isShortEnough = cutEnd >= 0 && request.length - cutEnd <= MAX_EXCERPT_BYTES;
      if (!isShortEnough) write(call, request, started, response, GrpcCode.OK);
      else lines.writeExcerpt(call, started, request, cut, cutEnd, response);
    };
  }
  if (path === range.path) {
    return (call, request, started, response) => {
      if (!lines.wants(GrpcCode.OK)) return;
      const { length } = request;
      if (length > MAX_EXCERPT_BYTES) write(call, request, started, response, GrpcCode.OK);
      else lines.writeExcerpt(call, started, request, length, length, response);
    };
  }
  return (call, request, started, response) => {
    write(call, request, started, response, GrpcCode.OK);
  };
}

function fieldsWriter(path: string, lines: AuditLines): Write {
  const requestFields = REQUEST_FIELDS.get(path) ?? [];
  const readResponse = responseReader(path);
  return (call, request, started, response, code) => {
    if (!lines.wants(code)) return;
    const members = requestMembers(request, requestFields);
    const responseMembers = response === undefined ? '' : readResponse(response);
    lines.write({
      call,
      started,
      members: members + responseMembers,
      requestBytes: request.length,
      responseBytes: response?.length ?? 0,
      code,
    });
  };
}

function txnWriter(lines: AuditLines): Write {
  const readResponse = responseReader(SERVICES.kv.txn.path);
  return (call, request, started, response, code) => {
    const limit = code === GrpcCode.OK ? Number.POSITIVE_INFINITY : MAX_REFUSED_OPERATIONS;
    let isReadOnly = lines.isRead;
    const members = membersOrNone(() => {
      const txn = txnMembers(request, limit);
      isReadOnly = txn.isReadOnly;
      return txn.members;
    });
    if (!lines.wants(code, isReadOnly)) return;
    const responseMembers = response === undefined ? '' : readResponse(response);
    lines.write({
      call,
      started,
      members: members + responseMembers,
      requestBytes: request.length,
      responseBytes: response?.length ?? 0,
      code,
    });
  };
}
