import {
  EtcdError,
  type EtcdErrorName,
  etcdErrorByMessage,
  GrpcCode,
  grpcErrorText,
  RpcError,
} from '../proto/errors.js';
import type { ConnectionDiagnosis } from './diagnosis.js';

/** Options of {@link CallError}. */
export interface CallErrorDetails {
  /** The caller's own deadline passed or its signal was aborted. */
  readonly contextEnded?: boolean;
  /** The server certainly did not see the request, so that even a write may be sent again. */
  readonly unprocessed?: boolean;
  /** What is known of the connections that the call waited for. */
  readonly diagnoses?: readonly ConnectionDiagnosis[];
}

/** A call failed on our side of the wire: deadline, cancellation, connection, protocol. */
export class CallError extends RpcError {
  readonly contextEnded: boolean;
  readonly unprocessed: boolean;
  readonly diagnoses: readonly ConnectionDiagnosis[];

  constructor(code: GrpcCode, message: string, details: CallErrorDetails = {}) {
    super(code, message);
    this.name = 'CallError';
    this.contextEnded = details.contextEnded ?? false;
    this.unprocessed = details.unprocessed ?? false;
    this.diagnoses = details.diagnoses ?? [];
  }
}

/** The client could not be built: no endpoints, contradicting sizes. etcdctl exits with 2. */
export class ClientConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ClientConfigError';
  }
}

/** The caller's deadline passed. */
export function deadlineError(diagnoses: readonly ConnectionDiagnosis[] = []): CallError {
  return new CallError(GrpcCode.DeadlineExceeded, 'context deadline exceeded', {
    contextEnded: true,
    diagnoses,
  });
}

/** The caller gave up. */
export function canceledError(): CallError {
  return new CallError(GrpcCode.Canceled, 'context canceled', { contextEnded: true });
}

/** Catalogue names that etcd's client does not turn into errors of its own (reference: api 8). */
const NOT_IN_CLIENT_LOOKUP: ReadonlySet<EtcdErrorName> = new Set<EtcdErrorName>([
  'WatchCanceled',
  'InvalidClientAPIVersion',
  'PermissionNotGiven',
  'TimeoutWaitAppliedIndex',
  'Canceled',
  'DeadlineExceeded',
  'ContextCanceled',
  'ContextDeadlineExceeded',
  'ProposalDropped',
  'RaftStopped',
  'NotPrimaryLessor',
  'TimeoutLeaderTransfer',
  'UnknownMethod',
  'NoPasswordUser',
  'VerifyOnly',
  'PasswordTooLong',
]);

/** The error a status from the server stands for. */
export function errorFromStatus(code: GrpcCode, message: string): RpcError {
  const known = etcdErrorByMessage(message);
  if (known !== undefined && !NOT_IN_CLIENT_LOOKUP.has(known.reason)) {
    return known;
  }
  return new RpcError(code, message);
}

/** The text etcdctl prints after `Error: ` (reference: cli 1.2). */
export function errorText(error: unknown): string {
  if (error instanceof EtcdError) {
    return error.message;
  }
  if (error instanceof CallError && error.contextEnded) {
    return error.message;
  }
  if (error instanceof RpcError) {
    return grpcErrorText(error);
  }
  return error instanceof Error ? error.message : String(error);
}

/** What the client knows of the connections an error waited for; empty if it says nothing. */
export function diagnosesOf(error: unknown): readonly ConnectionDiagnosis[] {
  return error instanceof CallError ? error.diagnoses : [];
}
