import { KeyspaceModel, type ModelEvent } from '../support/keyspace-model.js';
import { type ChronicleEntry, showEvents } from './chronicle.js';
import { effectOn, type OperationRecord, showRecord } from './operations.js';
import { Violation } from './violation.js';

export interface HistoryCheckOptions {
  /** What the members did, from revision 2 on, without a gap. */
  readonly chronicle: readonly ChronicleEntry[];
  readonly records: readonly OperationRecord[];
}

/** An operation with a place in the order of all. */
interface Placed {
  readonly record: OperationRecord;
  /** 2r for what made revision r, 2r + 1 for what saw the state after it. */
  readonly position: number;
}

/**
 * Whether a history is linearizable, given what the members did. Writes are ordered by the
 * revisions they made, and a read says which revision it saw, so the only order that can explain
 * the history is known; what is left is to see that each answer is the one that this order gives,
 * and that the order never contradicts time: what was answered before another was asked comes first.
 * What was not answered may have happened at any time after it was asked, once, or never.
 *
 * Serializable reads may see an old state, but never one that is not part of this order, and never
 * one from the future.
 * @throws Violation
 */
export function checkHistory(options: HistoryCheckOptions): KeyspaceModel {
  return new HistoryCheck(options).run();
}

class HistoryCheck {
  readonly #chronicle: readonly ChronicleEntry[];
  readonly #records: readonly OperationRecord[];
  readonly #model = new KeyspaceModel();
  readonly #byValue = new Map<string, OperationRecord>();
  readonly #deletions = new Map<number, OperationRecord>();
  readonly #unknownDeletions = new Set<OperationRecord>();
  readonly #reads = new Map<number, OperationRecord[]>();
  readonly #used = new Set<OperationRecord>();
  readonly #leases: LeaseHistory;
  readonly #placed: Placed[] = [];

  constructor({ chronicle, records }: HistoryCheckOptions) {
    this.#chronicle = chronicle;
    this.#records = records;
    this.#leases = new LeaseHistory(records);
    for (const record of records) this.#index(record);
  }

  run(): KeyspaceModel {
    this.#checkReads();
    for (const entry of this.#chronicle) {
      const record = this.#originOf(entry);
      if (record === undefined) this.#endLease(entry);
      else this.#explain(entry, record);
      this.#checkReads();
    }
    for (const record of this.#records) this.#requireUsed(record);
    checkRealTime(this.#placed);
    return this.#model;
  }

  #index(record: OperationRecord): void {
    const { operation, outcome } = record;
    const steps =
      operation.kind === 'txn'
        ? [...operation.success, ...operation.failure]
        : operation.kind === 'put'
          ? [operation]
          : [];
    for (const step of steps) if (step.kind === 'put') this.#byValue.set(step.value, record);
    if (operation.kind === 'delete') {
      if (outcome.kind === 'unknown') this.#unknownDeletions.add(record);
      else if (outcome.kind === 'answered' && outcome.answer.content !== '0') {
        this.#claim(outcome.answer.revision, record);
      }
    }
    if (operation.kind === 'range' && outcome.kind === 'answered') {
      const revision = operation.revision || outcome.answer.revision;
      const reads = this.#reads.get(revision);
      if (reads === undefined) this.#reads.set(revision, [record]);
      else reads.push(record);
    }
  }

  #claim(revision: number, record: OperationRecord): void {
    const other = this.#deletions.get(revision);
    if (other !== undefined) {
      throw new Violation(
        'linearizability',
        `two were told that they made revision ${revision}:\n${showRecord(other)}\n${showRecord(record)}`,
      );
    }
    this.#deletions.set(revision, record);
  }

  /** The operation that made a revision; undefined: no client's. */
  #originOf({ revision, events }: ChronicleEntry): OperationRecord | undefined {
    for (const { keyValue } of events) {
      if (keyValue === undefined) continue;
      const record = this.#byValue.get(keyValue.value.toString('latin1'));
      if (record !== undefined) return record;
      throw new Violation(
        'linearizability',
        `nobody asked for what revision ${revision} holds: ${showEvents(events)}`,
      );
    }
    const claimed = this.#deletions.get(revision);
    if (claimed !== undefined) return claimed;
    if (this.#endedLease(events) !== undefined) return undefined;
    for (const record of this.#unknownDeletions) {
      const { changes } = effectOn(this.#model, record.operation);
      const isSame =
        changes.length === events.length &&
        changes.every(({ key }, position) => key === events[position]?.key);
      if (!isSame) continue;
      this.#unknownDeletions.delete(record);
      return record;
    }
    throw new Violation(
      'linearizability',
      `nobody asked for what revision ${revision} deletes: ${showEvents(events)}`,
    );
  }

  #explain({ revision, events }: ChronicleEntry, record: OperationRecord): void {
    const { operation, outcome } = record;
    const fail = (what: string): never => {
      throw new Violation(
        'linearizability',
        `${what}: revision ${revision} is ${showEvents(events)}; ${showRecord(record)}`,
      );
    };
    if (this.#used.has(record)) fail('an operation happened twice');
    if (outcome.kind === 'refused') fail('a refused operation happened');
    this.#used.add(record);
    const { changes, content } = effectOn(this.#model, operation);
    const expected = showEvents(this.#model.apply(changes));
    if (expected !== showEvents(events)) fail(`an operation should have done ${expected}`);
    for (const change of changes) {
      if (change.kind === 'put') this.#leases.requireAlive(change.lease, revision, record);
    }
    if (outcome.kind === 'answered') {
      if (outcome.answer.revision !== revision) fail('an operation was told another revision');
      if (outcome.answer.content !== content) fail(`an operation should have been told ${content}`);
    }
    this.#placed.push({ record, position: 2 * revision });
  }

  /** The lease whose keys are exactly those that were deleted. */
  #endedLease(events: readonly ModelEvent[]): bigint | undefined {
    const lease = this.#model.live.get(events[0]?.key ?? '')?.lease ?? 0n;
    if (lease === 0n) return undefined;
    const keys = this.#model.keysOfLease(lease);
    const isSame =
      keys.length === events.length &&
      keys.every((key) => events.some((event) => event.key === key));
    return isSame ? lease : undefined;
  }

  #endLease(entry: ChronicleEntry): void {
    const lease = this.#endedLease(entry.events);
    if (lease === undefined) throw new Error('called for a deletion by a client');
    this.#leases.end(lease, entry);
    this.#model.apply(entry.events.map(({ key }) => ({ kind: 'delete', key })));
  }

  /** Checks those reads that saw the state the model is in. */
  #checkReads(): void {
    for (const record of this.#reads.get(this.#model.currentRevision) ?? []) {
      this.#requireContent(record);
      this.#used.add(record);
      if (record.outcome.kind !== 'answered') continue;
      this.#placed.push({ record, position: 2 * record.outcome.answer.revision + 1 });
    }
    for (const record of this.#quiet().get(this.#model.currentRevision) ?? []) {
      if (this.#used.has(record)) continue;
      const { changes } = effectOn(this.#model, record.operation);
      if (changes.length > 0) {
        throw new Violation('nothing is lost', `acknowledged and lost: ${showRecord(record)}`);
      }
      this.#requireContent(record);
      this.#used.add(record);
      this.#placed.push({ record, position: 2 * this.#model.currentRevision + 1 });
    }
  }

  #quietByRevision: Map<number, OperationRecord[]> | undefined;

  /** Answered deletions and transactions by revision: those without an effect act as reads. */
  #quiet(): Map<number, OperationRecord[]> {
    if (this.#quietByRevision !== undefined) return this.#quietByRevision;
    const quiet = new Map<number, OperationRecord[]>();
    for (const record of this.#records) {
      const { operation, outcome } = record;
      if (operation.kind !== 'txn' && operation.kind !== 'delete') continue;
      if (outcome.kind !== 'answered') continue;
      const { revision } = outcome.answer;
      const others = quiet.get(revision);
      if (others === undefined) quiet.set(revision, [record]);
      else others.push(record);
    }
    this.#quietByRevision = quiet;
    return quiet;
  }

  #requireContent(record: OperationRecord): void {
    const { content } = effectOn(this.#model, record.operation);
    const { outcome } = record;
    if (outcome.kind !== 'answered' || outcome.answer.content === content) return;
    throw new Violation(
      'linearizability',
      `revision ${this.#model.currentRevision} holds ${content}; ${showRecord(record)}`,
    );
  }

  #requireUsed(record: OperationRecord): void {
    const { operation, outcome } = record;
    if (outcome.kind !== 'answered' || this.#used.has(record)) return;
    if (operation.kind === 'put' || operation.kind === 'txn' || operation.kind === 'delete') {
      throw new Violation('nothing is lost', `acknowledged and lost: ${showRecord(record)}`);
    }
    if (operation.kind === 'range') {
      throw new Violation('linearizability', `saw what never was: ${showRecord(record)}`);
    }
  }
}

/** What is known of leases: a key can only be put under one that is there. */
class LeaseHistory {
  readonly #asked = new Set<bigint>();
  readonly #revoked = new Map<bigint, OperationRecord>();
  readonly #ended = new Map<bigint, number>();

  constructor(records: readonly OperationRecord[]) {
    for (const record of records) {
      const { operation, outcome } = record;
      if (operation.kind === 'grant' && outcome.kind !== 'refused')
        this.#asked.add(operation.lease);
      if (operation.kind === 'revoke' && outcome.kind === 'answered') {
        this.#revoked.set(operation.lease, record);
      }
    }
  }

  end(lease: bigint, { revision }: ChronicleEntry): void {
    this.#ended.set(lease, revision);
  }

  requireAlive(lease: bigint, revision: number, record: OperationRecord): void {
    if (lease === 0n) return;
    const fail = (why: string): never => {
      throw new Violation(
        'leases',
        `revision ${revision} put a key under a lease that ${why}; \
${showRecord(record)}`,
      );
    };
    if (!this.#asked.has(lease)) fail('nobody was granted');
    const end = this.#ended.get(lease);
    if (end !== undefined) fail(`ended at revision ${end}`);
    const revocation = this.#revoked.get(lease);
    if (revocation !== undefined && revocation.end < record.start) {
      fail(`was revoked: ${showRecord(revocation)}`);
    }
  }
}

/** What was answered before another operation was asked for must not come after it in the order. */
function checkRealTime(placed: readonly Placed[]): void {
  const byStart = [...placed].sort((a, b) => a.record.start - b.record.start);
  const byEnd = placed
    .filter(({ record }) => record.outcome.kind === 'answered')
    .sort((a, b) => a.record.end - b.record.end);
  let ended = 0;
  let last: Placed | undefined;
  for (const next of byStart) {
    for (let done = byEnd[ended]; done !== undefined; done = byEnd[ended]) {
      if (done.record.end >= next.record.start) break;
      if (last === undefined || done.position > last.position) last = done;
      ended++;
    }
    const { operation } = next.record;
    if (operation.kind === 'range' && (operation.isSerializable || operation.revision !== 0))
      continue;
    if (last !== undefined && last.position > next.position) {
      throw new Violation(
        'linearizability',
        `the order of revisions contradicts time:\n${showRecord(last.record)}\n${showRecord(next.record)}`,
      );
    }
  }
}
