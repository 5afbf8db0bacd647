import type { KeyText } from '../../base/bytes.js';
import {
  type Counter,
  type Histogram,
  silentCounter,
  silentHistogram,
} from '../../base/metrics.js';
import { MinHeap } from '../../base/min-heap.js';
import type { Clock } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { Backend } from '../../storage/backend/backend.js';
import type { LeaseAttachments } from '../../storage/mvcc/types.js';
import { type Lease, MAX_LEASE_TTL_SECONDS, refreshSeconds } from './lease.js';
import { decodeLease, encodeLease, leaseKey } from './lease-row.js';
import { spreadExpiries } from './spread-expiries.js';

/** One due checkpoint: a lease and its remaining time in whole seconds, rounded up. */
export interface DueCheckpoint {
  readonly id: bigint;
  readonly remainingTtlSeconds: number;
}

export interface LessorMetrics {
  readonly granted: Counter;
  readonly revoked: Counter;
  readonly renewed: Counter;
  /** TTL at grant, seconds. */
  readonly ttlSeconds: Histogram;
}

const silentLessorMetrics: LessorMetrics = {
  granted: silentCounter,
  revoked: silentCounter,
  renewed: silentCounter,
  ttlSeconds: silentHistogram,
};

export interface LessorOptions {
  readonly backend: Backend;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  readonly minimumTtlSeconds: number;
  /** How long to wait before a lease whose revocation did not happen is offered again, ms. */
  readonly retryMillis: number;
  /** Time between checkpoints of one lease, ms; undefined: checkpoints are off. */
  readonly checkpointIntervalMillis?: number;
  /** Whether an applied checkpoint is stored (cluster version >= 3.6, or the persist feature). */
  readonly persistsCheckpoints: () => boolean;
  /** Revocations a second that expiry may cause; default 1000. */
  readonly revokeRate?: number;
  readonly metrics?: LessorMetrics;
}

/** Entries of leases that are gone which a queue may hold beside as many as there are leases. */
const MAX_STALE_ENTRIES = 1024;

/** Why a renewal that had to wait ended without renewing. */
type WaitEnd = 'revoked' | 'demoted';

/**
 * Leases: which exist, which keys hang on them, and on the primary when they expire.
 *
 * Grant, revoke, checkpoint, attach and detach run at apply and depend on the log alone. Expiry
 * times exist only on the primary (the Raft leader) and take effect only through a LeaseRevoke
 * entry, so a wrong clock can delay an expiry but never make members differ.
 * Source: reference, semantics 8.
 */
export class Lessor implements LeaseAttachments {
  readonly #options: LessorOptions;
  readonly #metrics: LessorMetrics;
  readonly #revokeRate: number;
  readonly #leases = new Map<bigint, Lease>();
  readonly #leaseByKey = new Map<KeyText, bigint>();
  readonly #expiries = new MinHeap<Lease>();
  readonly #checkpoints = new MinHeap<Lease>();
  #primary = false;

  constructor(options: LessorOptions) {
    this.#options = options;
    this.#metrics = options.metrics ?? silentLessorMetrics;
    this.#revokeRate = options.revokeRate ?? 1000;
  }

  /** Loads the leases of the backend. Keys are attached by the store's own restore, later. */
  restore(): void {
    this.#leases.clear();
    this.#leaseByKey.clear();
    this.#clearQueues();
    this.#primary = false;
    for (const [, value] of this.#options.backend.range('lease', Buffer.alloc(0))) {
      const row = decodeLease(value);
      const ttlSeconds = Math.max(row.ttlSeconds, this.#options.minimumTtlSeconds);
      this.#leases.set(row.id, newLease(row.id, ttlSeconds, row.remainingTtlSeconds));
    }
  }

  get isPrimary(): boolean {
    return this.#primary;
  }

  /** How many leases exist. */
  get size(): number {
    return this.#leases.size;
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  leaseOf(key: KeyText): bigint {
    return this.#leaseByKey.get(key) ?? 0n;
  }

  /** @throws EtcdError LeaseNotFound */
  attach(id: bigint, key: KeyText): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw etcdError('LeaseNotFound');
    lease.keys.add(key);
    this.#leaseByKey.set(key, id);
  }

  /** Detaching from a lease that is gone is no error: the lease may have been revoked before. */
  detach(id: bigint, key: KeyText): void {
    this.#leases.get(id)?.keys.delete(key);
    if (this.#leaseByKey.get(key) === id) this.#leaseByKey.delete(key);
  }

  /**
   * Creates a lease; a TTL below the minimum is raised to it.
   * @param ttlSeconds as requested
   * @returns the granted TTL, seconds
   * @throws EtcdError LeaseTTLTooLarge, LeaseExist (in this order)
   */
  grant(id: bigint, ttlSeconds: number): number {
    if (ttlSeconds > MAX_LEASE_TTL_SECONDS) throw etcdError('LeaseTTLTooLarge');
    if (this.#leases.has(id)) throw etcdError('LeaseExist');
    const granted = Math.max(ttlSeconds, this.#options.minimumTtlSeconds);
    const lease = newLease(id, granted, 0);
    this.#leases.set(id, lease);
    if (this.#primary) this.#refresh(lease, 0);
    this.#persist(lease);
    this.#metrics.granted.inc();
    this.#metrics.ttlSeconds.observe(granted);
    return granted;
  }

  /**
   * Removes a lease in the current turn: `deleteKeys` deletes the attached keys, in byte order, in
   * one write transaction, so that keys and lease row fall into the same backend batch.
   * @throws EtcdError LeaseNotFound
   */
  revoke(id: bigint, deleteKeys: (keys: readonly KeyText[]) => void): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw etcdError('LeaseNotFound');
    if (lease.keys.size > 0) deleteKeys([...lease.keys].sort());
    this.#leases.delete(id);
    this.#options.backend.delete('lease', leaseKey(id));
    this.#metrics.revoked.inc();
    endWaits(lease);
    // Short-lived leases with long TTLs would otherwise stay queued until those are over.
    this.#dropStale(this.#expiries);
    this.#dropStale(this.#checkpoints);
  }

  /**
   * Applies a checkpoint; an unknown lease is LeaseNotFound.
   * @param remainingTtlSeconds 0 resets to the full TTL
   * @throws EtcdError LeaseNotFound
   */
  checkpoint(id: bigint, remainingTtlSeconds: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw etcdError('LeaseNotFound');
    lease.remainingTtlSeconds = remainingTtlSeconds;
    if (this.#options.persistsCheckpoints()) this.#persist(lease);
    if (this.#primary) this.#scheduleCheckpoint(lease);
  }

  /** Makes this member primary: every lease starts anew, plus `extendMillis`. */
  promote(extendMillis: number): void {
    this.#primary = true;
    this.#clearQueues();
    for (const lease of this.#leases.values()) this.#setExpiry(lease, extendMillis);
    spreadExpiries(
      this.#leases.values(),
      this.#options.clock.monotonicMillis(),
      this.#revokeRate,
      extendMillis,
    );
    for (const lease of this.#leases.values()) {
      this.#expiries.push(lease, lease.expiryMillis);
      this.#scheduleCheckpoint(lease);
    }
  }

  /** Stops being primary: nothing expires here until the next promotion. */
  demote(): void {
    if (!this.#primary) return;
    this.#primary = false;
    this.#clearQueues();
    for (const lease of this.#leases.values()) {
      lease.expiryMillis = Number.POSITIVE_INFINITY;
      endWaits(lease);
    }
  }

  /** Renewal comes in three steps so that the caller can clear a checkpoint through the log between. */
  needsCheckpointReset(id: bigint): boolean {
    return (this.#leases.get(id)?.remainingTtlSeconds ?? 0) > 0;
  }

  /**
   * Waits while the lease has expired but its revocation is under way; resolves at once otherwise.
   * @throws EtcdError NotPrimaryLessor, LeaseNotFound
   */
  async renewable(id: bigint, signal?: AbortSignal): Promise<void> {
    const lease = this.#primaryLease(id);
    if (!this.#hasExpired(lease)) return;
    const end = await this.#waitForEnd(lease, signal);
    throw etcdError(end === 'revoked' ? 'LeaseNotFound' : 'NotPrimaryLessor');
  }

  /**
   * Gives the lease its full time again.
   * @returns the granted TTL, seconds
   * @throws EtcdError NotPrimaryLessor, LeaseNotFound
   */
  renew(id: bigint): number {
    const lease = this.#primaryLease(id);
    if (this.#hasExpired(lease)) throw etcdError('LeaseNotFound');
    lease.remainingTtlSeconds = 0;
    this.#setExpiry(lease, 0);
    this.#scheduleCheckpoint(lease);
    this.#metrics.renewed.inc();
    return lease.ttlSeconds;
  }

  /** Whether this member, as the primary, would let a lease end now. */
  isExpired(id: bigint): boolean {
    const lease = this.#leases.get(id);
    return this.#primary && lease !== undefined && this.#hasExpired(lease);
  }

  /** Milliseconds until expiry; negative while a revocation is under way; Infinity off the primary. */
  remainingMillis(lease: Lease): number {
    return lease.expiryMillis - this.#options.clock.monotonicMillis();
  }

  /** Entries in the queues, those of leases that are gone included. */
  get queued(): number {
    return this.#expiries.size + this.#checkpoints.size;
  }

  /** All leases, the one that expires first in front; grant order among equals. */
  list(): Lease[] {
    return [...this.#leases.values()].sort((a, b) => a.expiryMillis - b.expiryMillis || 0);
  }

  /**
   * Up to `limit` leases whose time is over. Each is offered again after the retry time, in case
   * its revocation does not come through.
   */
  takeExpired(limit: number): bigint[] {
    const now = this.#options.clock.monotonicMillis();
    const expired: bigint[] = [];
    while (expired.length < limit && (this.#expiries.peekPriority() ?? Infinity) <= now) {
      const lease = this.#expiries.pop() as Lease;
      if (!this.#isCurrent(lease)) continue;
      // Renewals do not touch the queue, so an entry may be older than the lease's expiry.
      if (lease.expiryMillis > now) {
        this.#expiries.push(lease, lease.expiryMillis);
        continue;
      }
      expired.push(lease.id);
      this.#expiries.push(lease, now + this.#options.retryMillis);
    }
    return expired;
  }

  /** Up to `limit` leases whose remaining time should now be told to the other members. */
  takeDueCheckpoints(limit: number): DueCheckpoint[] {
    const now = this.#options.clock.monotonicMillis();
    const due: DueCheckpoint[] = [];
    while (due.length < limit && (this.#checkpoints.peekPriority() ?? Infinity) <= now) {
      const lease = this.#checkpoints.pop() as Lease;
      if (!this.#isCurrent(lease) || lease.checkpointDueMillis === undefined) continue;
      // As with expiries, a renewal moves the due time and leaves the queue alone.
      if (lease.checkpointDueMillis > now) {
        this.#checkpoints.push(lease, lease.checkpointDueMillis);
        continue;
      }
      lease.checkpointDueMillis = undefined;
      if (lease.expiryMillis <= now) continue;
      const remainingTtlSeconds = Math.ceil((lease.expiryMillis - now) / 1000);
      // A lease that was just renewed needs no checkpoint: its TTL says the same.
      if (remainingTtlSeconds >= lease.ttlSeconds) continue;
      due.push({ id: lease.id, remainingTtlSeconds });
    }
    return due;
  }

  #primaryLease(id: bigint): Lease {
    if (!this.#primary) throw etcdError('NotPrimaryLessor');
    const lease = this.#leases.get(id);
    if (lease === undefined) throw etcdError('LeaseNotFound');
    return lease;
  }

  #hasExpired(lease: Lease): boolean {
    return lease.expiryMillis <= this.#options.clock.monotonicMillis();
  }

  #waitForEnd(lease: Lease, signal: AbortSignal | undefined): Promise<WaitEnd> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve(this.#leases.has(lease.id) ? 'demoted' : 'revoked');
      };
      const abort = (): void => {
        lease.endWaiters.delete(finish);
        reject(signal?.reason);
      };
      lease.endWaiters.add(finish);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Whether a queued lease still exists: another may have been granted under its id. */
  #isCurrent(lease: Lease): boolean {
    return this.#leases.get(lease.id) === lease;
  }

  #dropStale(queue: MinHeap<Lease>): void {
    if (queue.size <= 2 * this.#leases.size + MAX_STALE_ENTRIES) return;
    queue.retain((lease) => this.#isCurrent(lease));
  }

  #refresh(lease: Lease, extendMillis: number): void {
    this.#setExpiry(lease, extendMillis);
    this.#expiries.push(lease, lease.expiryMillis);
    this.#scheduleCheckpoint(lease);
  }

  #setExpiry(lease: Lease, extendMillis: number): void {
    const now = this.#options.clock.monotonicMillis();
    lease.expiryMillis = now + refreshSeconds(lease) * 1000 + extendMillis;
  }

  #scheduleCheckpoint(lease: Lease): void {
    const interval = this.#options.checkpointIntervalMillis;
    if (interval === undefined || refreshSeconds(lease) * 1000 <= interval) return;
    const queued = lease.checkpointDueMillis !== undefined;
    lease.checkpointDueMillis = this.#options.clock.monotonicMillis() + interval;
    if (!queued) this.#checkpoints.push(lease, lease.checkpointDueMillis);
  }

  #persist(lease: Lease): void {
    this.#options.backend.put('lease', leaseKey(lease.id), encodeLease(lease));
  }

  #clearQueues(): void {
    this.#expiries.clear();
    this.#checkpoints.clear();
    for (const lease of this.#leases.values()) lease.checkpointDueMillis = undefined;
  }
}

function newLease(id: bigint, ttlSeconds: number, remainingTtlSeconds: number): Lease {
  return {
    id,
    ttlSeconds,
    remainingTtlSeconds,
    expiryMillis: Number.POSITIVE_INFINITY,
    checkpointDueMillis: undefined,
    keys: new Set(),
    endWaiters: new Set(),
  };
}

function endWaits(lease: Lease): void {
  const waiters = [...lease.endWaiters];
  lease.endWaiters.clear();
  for (const wake of waiters) wake();
}
