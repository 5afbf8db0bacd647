import type { KeyText } from '../../base/bytes.js';

/** One granted lease, as every member holds it. */
export interface Lease {
  readonly id: bigint;
  /** Granted time to live, seconds. */
  readonly ttlSeconds: number;
  /** Last checkpointed remaining time, seconds; 0: none, the full TTL counts. */
  remainingTtlSeconds: number;
  /** When it expires, on the monotonic clock in milliseconds; Infinity on a member that is not primary. */
  expiryMillis: number;
  /** When its remaining time is next checkpointed, monotonic ms; undefined: not queued. */
  checkpointDueMillis: number | undefined;
  readonly keys: Set<KeyText>;
  /** Called once when the lease is revoked or this member stops being primary. */
  readonly endWaiters: Set<() => void>;
}

/** TTLs above this are refused, seconds (reference: semantics 8). */
export const MAX_LEASE_TTL_SECONDS = 9_000_000_000;

/** What a lease still has when it is refreshed, seconds. */
export function refreshSeconds(lease: Lease): number {
  return lease.remainingTtlSeconds > 0 ? lease.remainingTtlSeconds : lease.ttlSeconds;
}

/**
 * The smallest TTL that is granted, seconds: one and a half election timeouts, rounded up, so that
 * a lease outlives a leader change (reference: semantics 8).
 */
export function minimumLeaseTtlSeconds(electionTicks: number, heartbeatMillis: number): number {
  return Math.ceil((Math.floor((3 * electionTicks) / 2) * heartbeatMillis) / 1000);
}
