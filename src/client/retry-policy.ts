import type { Random } from '../platform/random.js';
import { GrpcCode, isEtcdError, type RpcError } from '../proto/errors.js';
import { SERVICES } from '../proto/services.js';
import { CallError } from './errors.js';

/** Attempts of one unary call, the first included (reference: api 8). */
export const MAX_UNARY_ATTEMPTS = 100;
const BACKOFF_MILLIS = 25;
const BACKOFF_JITTER = 0.1;

const { kv, lease, cluster, maintenance, auth } = SERVICES;

/** Calls that may be sent again after any Unavailable (reference: api 8). */
const REPEATABLE: ReadonlySet<string> = new Set(
  [
    kv.range,
    lease.leaseGrant,
    lease.leaseRevoke,
    lease.leaseTimeToLive,
    lease.leaseLeases,
    cluster.memberList,
    maintenance.alarm,
    maintenance.status,
    maintenance.hash,
    maintenance.hashKV,
    maintenance.moveLeader,
    maintenance.snapshot,
    auth.userList,
    auth.userGet,
    auth.roleGet,
    auth.roleList,
  ].map((method) => method.path),
);

/** Unavailable that says no server was reached at all, so that a write is safe to send again. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'there is no address available',
  'there is no connection available',
]);

/** True if a call of this method may be tried again after `error`. */
export function isSafeRetry(path: string, error: RpcError, endpointCount: number): boolean {
  if (error instanceof CallError && error.unprocessed) {
    return true;
  }
  if (isEtcdError(error, 'NotSupportedForLearner')) {
    return endpointCount > 1;
  }
  if (error.code !== GrpcCode.Unavailable) {
    return false;
  }
  return REPEATABLE.has(path) || NEVER_SENT.has(error.message);
}

/** True if the error may be the deadline or cancellation of somebody other than the caller. */
export function isContextCode(error: RpcError): boolean {
  return error.code === GrpcCode.Canceled || error.code === GrpcCode.DeadlineExceeded;
}

/**
 * Milliseconds to wait before attempt `attempt` (0 is the first): nothing, save after each round
 * over a quorum of the endpoints.
 */
export function backoffMillis(attempt: number, endpointCount: number, random: Random): number {
  const quorum = Math.floor(endpointCount / 2) + 1;
  if (attempt === 0 || attempt % quorum !== 0) {
    return 0;
  }
  return BACKOFF_MILLIS * (1 + BACKOFF_JITTER * (2 * random.float() - 1));
}
