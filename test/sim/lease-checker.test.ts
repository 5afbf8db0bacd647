import { describe, expect, it } from 'vitest';
import { KeyspaceModel, type ModelChange } from '../support/keyspace-model.js';
import type { ChronicleEntry } from './chronicle.js';
import { checkLeases, type LeaseCheckOptions } from './lease-checker.js';
import type { Operation, OperationRecord } from './operations.js';
import { Violation } from './violation.js';

const LEASE = 7n;
const GRANT: Operation = { kind: 'grant', lease: LEASE, ttlSeconds: 2 };
const REVOKE: Operation = { kind: 'revoke', lease: LEASE };
const KEEP_ALIVE: Operation = { kind: 'keepAlive', lease: LEASE };
const PUT: ModelChange = { kind: 'put', key: 'a', value: '1', lease: LEASE };
const DELETE: ModelChange = { kind: 'delete', key: 'a' };

/** Answered right after it was asked; `content` undefined: not at all. */
function record(operation: Operation, start: number, content: string | undefined = '') {
  const outcome: OperationRecord['outcome'] =
    content === undefined
      ? { kind: 'unknown' }
      : { kind: 'answered', answer: { revision: 1, content } };
  return { client: 'c', operation, start, end: start + 1, outcome };
}

function chronicleOf(...changes: readonly (readonly [ModelChange, number])[]): ChronicleEntry[] {
  const model = new KeyspaceModel();
  return changes.map(([change, time]) => {
    const events = model.apply([change]);
    return { revision: model.currentRevision, events, time };
  });
}

function ruleOf(options: Partial<LeaseCheckOptions>): string | undefined {
  try {
    checkLeases({
      chronicle: [],
      records: [],
      remaining: new Set(),
      now: 10_000,
      marginMillis: 100,
      clockDrift: 0,
      ...options,
    });
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.rule;
    throw error;
  }
}

describe('a lease', () => {
  it('may end when its time is over', () => {
    const chronicle = chronicleOf([PUT, 10], [DELETE, 2000]);
    expect(ruleOf({ records: [record(GRANT, 0)], chronicle })).toBeUndefined();
    expect(ruleOf({ records: [record(GRANT, 0)] })).toBeUndefined();
  });

  it('must not end before that', () => {
    const chronicle = chronicleOf([PUT, 10], [DELETE, 1500]);
    expect(ruleOf({ records: [record(GRANT, 0)], chronicle })).toBe('leases');
    expect(ruleOf({ records: [record(GRANT, 0)], now: 1500 })).toBe('leases');
  });

  it('lasts longer when it was renewed and this was acknowledged', () => {
    const chronicle = chronicleOf([PUT, 10], [DELETE, 2500]);
    const records = (content: string | undefined) => [
      record(GRANT, 0),
      record(KEEP_ALIVE, 1000, content),
    ];
    expect(ruleOf({ records: records('2'), chronicle })).toBe('leases');
    const [grant, renewal] = records('2') as [OperationRecord, OperationRecord];
    const unknown = { ...renewal, outcome: { kind: 'unknown' } as const };
    expect(ruleOf({ records: [grant, unknown], chronicle })).toBeUndefined();
  });

  it('may end after a renewal that came too late: its revocation may have been on its way', () => {
    const chronicle = chronicleOf([PUT, 10], [DELETE, 4500]);
    const records = (renewal: number) => [record(GRANT, 0), record(KEEP_ALIVE, renewal, '2')];
    expect(ruleOf({ records: records(3000), chronicle })).toBeUndefined();
    const inTime = [...records(1800), record(KEEP_ALIVE, 3600, '2')];
    expect(ruleOf({ records: inTime, chronicle })).toBe('leases');
  });

  it('may end as soon as somebody asks to revoke it', () => {
    const chronicle = chronicleOf([PUT, 10], [DELETE, 500]);
    const revocation = record(REVOKE, 400);
    expect(ruleOf({ records: [record(GRANT, 0), revocation], chronicle })).toBeUndefined();
    const late = record(REVOKE, 600);
    expect(ruleOf({ records: [record(GRANT, 0), late], chronicle })).toBe('leases');
  });

  it('must be gone when a revocation was acknowledged', () => {
    const remaining = new Set([LEASE]);
    const records = [record(GRANT, 0), record(REVOKE, 400)];
    expect(ruleOf({ records, remaining })).toBe('leases');
    expect(ruleOf({ records: [record(GRANT, 0)], remaining })).toBeUndefined();
  });
});
