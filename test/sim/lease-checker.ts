import { KeyspaceModel } from '../support/keyspace-model.js';
import type { ChronicleEntry } from './chronicle.js';
import { type OperationRecord, showRecord } from './operations.js';
import { Violation } from './violation.js';

export interface LeaseCheckOptions {
  readonly chronicle: readonly ChronicleEntry[];
  readonly records: readonly OperationRecord[];
  /** The leases that are there at the end. */
  readonly remaining: ReadonlySet<bigint>;
  /** The end, virtual ms. */
  readonly now: number;
  /** How much earlier than promised a lease may end where the leadership changes, ms. */
  readonly marginMillis: number;
  /** How far clocks run fast or slow, as a fraction. */
  readonly clockDrift: number;
}

/** All that clients know of one lease. */
interface LeasePromise {
  readonly grant: OperationRecord;
  readonly ttlMillis: number;
  /** Asked for before these, and so promised until a TTL after. Virtual ms. */
  readonly renewals: number[];
  /** The first attempt to revoke it. */
  revokeStart: number;
  /** The first revocation that was acknowledged, or the first word that it is gone. */
  gone: OperationRecord | undefined;
}

/**
 * Whether leases lasted as long as was promised: until a client revoked them, or until their TTL
 * after the last renewal that was acknowledged, if all were in time; and no longer than a
 * revocation.
 * @throws Violation
 */
export function checkLeases(options: LeaseCheckOptions): void {
  const promises = promisesOf(options.records);
  const ends = endsOf(options.chronicle);
  for (const [lease, promise] of promises) {
    const end = ends.get(lease);
    if (end !== undefined) requireDue(lease, promise, end, options);
    const isRemaining = options.remaining.has(lease);
    if (promise.gone !== undefined && isRemaining) {
      throw new Violation('leases', `is there after its end: ${showRecord(promise.gone)}`);
    }
    // A lease without keys ends without a trace, so only the end of the run tells of it.
    if (!isRemaining && end === undefined) {
      requireDue(lease, promise, options.now, options);
    }
  }
}

function promisesOf(records: readonly OperationRecord[]): Map<bigint, LeasePromise> {
  const promises = new Map<bigint, LeasePromise>();
  for (const record of records) {
    const { operation, outcome, start } = record;
    if (operation.kind !== 'grant' || outcome.kind !== 'answered') continue;
    promises.set(operation.lease, {
      grant: record,
      ttlMillis: operation.ttlSeconds * 1000,
      renewals: [start],
      revokeStart: Number.POSITIVE_INFINITY,
      gone: undefined,
    });
  }
  for (const record of records) {
    const { operation, outcome, start } = record;
    if (operation.kind !== 'keepAlive' && operation.kind !== 'revoke') continue;
    const promise = promises.get(operation.lease);
    if (promise === undefined) continue;
    if (operation.kind === 'revoke') {
      promise.revokeStart = Math.min(promise.revokeStart, start);
      if (outcome.kind === 'answered') promise.gone ??= record;
    } else if (outcome.kind === 'answered') {
      if (outcome.answer.content !== '0') promise.renewals.push(start);
      else if (start > promise.grant.end) promise.gone ??= record;
    }
  }
  return promises;
}

/** When the keys of leases were deleted all together, by lease. */
function endsOf(chronicle: readonly ChronicleEntry[]): Map<bigint, number> {
  const model = new KeyspaceModel();
  const ends = new Map<bigint, number>();
  for (const { events, time } of chronicle) {
    const leases = new Set(events.map(({ key }) => model.live.get(key)?.lease ?? 0n));
    const [lease = 0n] = leases;
    const areGone = events.every(({ keyValue }) => keyValue === undefined);
    if (areGone && leases.size === 1 && lease !== 0n) {
      if (model.keysOfLease(lease).length === events.length) ends.set(lease, time);
    }
    model.apply(
      events.map(({ key, keyValue }) =>
        keyValue === undefined
          ? { kind: 'delete', key }
          : { kind: 'put', key, value: keyValue.value.toString('latin1'), lease: keyValue.lease },
      ),
    );
  }
  return ends;
}

function requireDue(
  lease: bigint,
  { grant, ttlMillis, renewals, revokeStart }: LeasePromise,
  end: number,
  { marginMillis, clockDrift }: LeaseCheckOptions,
): void {
  if (revokeStart <= end) return;
  const dueAfter = (start: number): number =>
    start + ttlMillis * (1 - 2 * clockDrift) - marginMillis;
  let renewal = grant.start;
  for (const next of [...renewals].sort((one, other) => one - other)) {
    if (next >= end) break;
    // Trap: renewed by a new leader when its time was over, it may yet end by the revocation that
    // the leader before had proposed.
    if (next >= dueAfter(renewal)) return;
    renewal = next;
  }
  const due = dueAfter(renewal);
  if (end >= due) return;
  throw new Violation(
    'leases',
    `${lease} ended at ${end.toFixed(1)}, renewed at ${renewal.toFixed(1)}: ${showRecord(grant)}`,
  );
}
