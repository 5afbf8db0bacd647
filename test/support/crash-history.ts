import { expect } from 'vitest';
import { crc32c } from '../../src/base/crc32c.js';
import type { Random } from '../../src/platform/random.js';
import { isEtcdError } from '../../src/proto/errors.js';
import type { KeyValue } from '../../src/proto/gen/mvccpb/kv.js';
import { KeyspaceModel, type ModelChange, type ModelEvent } from './keyspace-model.js';
import {
  type Acknowledgement,
  type Destination,
  effectOf,
  type Operation,
  send,
  WorkloadClient,
} from './workload.js';

/** A server that can be asked for all it holds. */
export interface Inspected {
  /** All live keys, by a linearizable read. */
  all(): Promise<{ readonly revision: number; readonly keyValues: readonly KeyValue[] }>;
  /** The events of each revision of `[from, to]`. */
  changes(from: number, to: number): Promise<ReadonlyMap<number, readonly ModelEvent[]>>;
  hashKv(revision: number): Promise<{ readonly hash: number; readonly compactRevision: number }>;
  leases(): Promise<readonly bigint[]>;
  leaseKeys(lease: bigint): Promise<readonly string[]>;
}

interface Acknowledged {
  readonly operation: Operation;
  readonly answer: Acknowledgement;
}

/** No key but this one is live at all times. */
const ANCHOR = 'anchor';

/**
 * The life of an etcd that is killed over and over: what was sent, what was acknowledged, and what
 * must be there after the restart. What was not acknowledged may have happened; that is learnt from
 * the server, and from then on it must stay as it is.
 */
export class CrashHistory {
  readonly #model = new KeyspaceModel();
  #acknowledged: Acknowledged[] = [];
  #unanswered: Operation[] = [];
  readonly #leases = new Set<bigint>();
  /** Leases whose revocation is known by the keys it deleted. */
  readonly #revoked = new Set<bigint>();
  readonly #sections: number;
  #clients = 1;
  /** Acknowledged over the whole history. */
  acknowledgedCount = 0;
  /** Not acknowledged, yet found after a restart. */
  learntCount = 0;

  constructor(sections: number) {
    this.#sections = sections;
  }

  get revision(): number {
    return this.#model.currentRevision;
  }

  get compactRevision(): number {
    return this.#model.compactRevision;
  }

  /** Writes the one key that no other operation touches. Call it once, before all else. */
  async begin(to: Destination): Promise<void> {
    const value = '#0.0:';
    await this.#send(to, { kind: 'put', id: value, key: ANCHOR, value, lease: 0n });
  }

  /**
   * Lets clients write until their server is gone. Call it after {@link verify}.
   * @param onAcknowledged told after each acknowledgement how many there were in this run
   */
  async write(
    to: Destination,
    random: Random,
    onAcknowledged: (count: number) => void,
  ): Promise<void> {
    const state = {
      compactTo: this.#model.currentRevision,
      compactRevision: this.#model.compactRevision,
      sections: this.#sections,
    };
    let count = 0;
    const run = async (section: number): Promise<void> => {
      const client = new WorkloadClient(this.#clients++, section, random, state);
      while (await this.#send(to, client.next())) onAcknowledged(++count);
    };
    await Promise.all(Array.from({ length: this.#sections }, (_, section) => run(section)));
  }

  /** Compares a restarted server with all that was acknowledged and all that was sent. */
  async verify(server: Inspected): Promise<void> {
    const before = this.#model.currentRevision;
    const { revision, keyValues } = await server.all();
    const changes = await server.changes(before + 1, revision);
    for (let at = before + 1; at <= revision; at++) {
      const events = changes.get(at);
      if (events === undefined) throw new Error(`nothing is known of revision ${at}`);
      this.#explain(at, events);
    }
    expect(changes.size, 'revisions beyond the current one').toBe(revision - before);
    expect(keyValues.map(showKeyValue).sort()).toEqual(
      [...this.#model.live.values()].map(showKeyValue).sort(),
    );
    await this.#verifyLeases(server);
    await this.#verifyHash(server);
    // What has not happened by now must never happen.
    this.#unanswered = [];
    this.#acknowledged = [];
  }

  async #send(to: Destination, operation: Operation): Promise<boolean> {
    try {
      const answer = await send(to, operation);
      this.#acknowledged.push({ operation, answer });
      this.acknowledgedCount++;
      return true;
    } catch (error) {
      // The revision was compacted already; the client may go on.
      if (operation.kind === 'compact' && isEtcdError(error, 'Compacted')) return true;
      this.#unanswered.push(operation);
      return false;
    }
  }

  /** Finds the operation that made a revision, and applies it to the model. */
  #explain(revision: number, events: readonly ModelEvent[]): void {
    const operation = this.#takeAcknowledged(revision, events) ?? this.#takeUnanswered(events);
    if (operation === undefined) {
      throw new Error(`nobody sent what revision ${revision} holds: ${show(events)}`);
    }
    const expected = this.#model.apply(effectOf(operation, this.#model));
    expect(this.#model.currentRevision, `${operation.id} has an effect`).toBe(revision);
    expect(show(events), `events of ${operation.id} at revision ${revision}`).toBe(show(expected));
    if (operation.kind === 'revoke') this.#revoked.add(operation.lease);
  }

  #takeAcknowledged(revision: number, events: readonly ModelEvent[]): Operation | undefined {
    const found = this.#acknowledged.filter(
      ({ operation, answer }) =>
        answer.revision === revision && answer.deleted !== 0 && this.#explains(operation, events),
    );
    expect(found.length, `operations answered with revision ${revision}`).toBeLessThanOrEqual(1);
    const [first] = found;
    if (first === undefined) return undefined;
    const { operation, answer } = first;
    if (operation.kind === 'delete') expect(answer.deleted, operation.id).toBe(events.length);
    if (operation.kind === 'txn') {
      const succeeded = this.#model.live.has(operation.ifPresent);
      expect(answer.succeeded, operation.id).toBe(succeeded);
    }
    this.#acknowledged.splice(this.#acknowledged.indexOf(first), 1);
    return operation;
  }

  #takeUnanswered(events: readonly ModelEvent[]): Operation | undefined {
    const at = this.#unanswered.findIndex((operation) => this.#explains(operation, events));
    if (at < 0) return undefined;
    this.learntCount++;
    return this.#unanswered.splice(at, 1)[0];
  }

  /** Whether the operation may be the origin of the events; the exact effect is compared later. */
  #explains(operation: Operation, events: readonly ModelEvent[]): boolean {
    const put = events.find(({ keyValue }) => keyValue !== undefined);
    if (put !== undefined) {
      return Buffer.from(put.keyValue?.value ?? '')
        .toString('latin1')
        .startsWith(operation.id);
    }
    if (operation.kind !== 'delete' && operation.kind !== 'revoke') return false;
    const effect = effectOf(operation, this.#model).map((change: ModelChange) => change.key);
    return effect.length === events.length && events.every(({ key }, i) => key === effect[i]);
  }

  async #verifyLeases(server: Inspected): Promise<void> {
    for (const { operation, answer } of this.#acknowledged) {
      requireNoEffect(operation, answer);
      if (operation.kind === 'grant') this.#leases.add(operation.lease);
      if (operation.kind === 'revoke') this.#revoked.add(operation.lease);
    }
    for (const lease of this.#revoked) this.#leases.delete(lease);
    const leases = await server.leases();
    for (const operation of this.#unanswered) {
      if (operation.kind !== 'grant' && operation.kind !== 'revoke') continue;
      if (leases.includes(operation.lease)) this.#leases.add(operation.lease);
      else this.#leases.delete(operation.lease);
    }
    expect([...leases].sort()).toEqual([...this.#leases].sort());
    for (const { key, lease } of this.#model.live.values()) {
      if (lease !== 0n) expect(leases, `the lease of ${key}`).toContain(lease);
    }
    for (const lease of leases.slice(-3)) {
      expect([...(await server.leaseKeys(lease))].sort()).toEqual(this.#model.keysOfLease(lease));
    }
  }

  async #verifyHash(server: Inspected): Promise<void> {
    const { revision } = this;
    const { hash, compactRevision } = await server.hashKv(0);
    const decided = this.#acknowledged.filter(({ operation }) => operation.kind === 'compact');
    const sent = [...decided.map(({ operation }) => operation), ...this.#unanswered];
    const possible = sent.map((operation) =>
      operation.kind === 'compact' ? operation.revision : this.compactRevision,
    );
    expect([this.compactRevision, ...possible]).toContain(compactRevision);
    for (const { operation } of decided) {
      if (operation.kind !== 'compact') continue;
      expect(compactRevision, 'an acknowledged compaction').toBeGreaterThanOrEqual(
        operation.revision,
      );
    }
    expect(compactRevision).toBeGreaterThanOrEqual(this.compactRevision);
    if (compactRevision > this.compactRevision) this.#model.compact(compactRevision);
    expect(hash, `HashKV at revision ${revision}`).toBe(this.#model.hashAt(revision));
  }
}

/** When all revisions are explained, what is left of the acknowledged must have changed no key. */
function requireNoEffect(operation: Operation, answer: Acknowledgement): void {
  const { kind, id } = operation;
  if (kind === 'put' || kind === 'txn' || (kind === 'delete' && answer.deleted !== 0)) {
    throw new Error(`${kind} ${id} was acknowledged at revision ${answer.revision} and is lost`);
  }
}

/** Everything of a KeyValue, in little room. */
function showKeyValue({
  key,
  createRevision,
  modRevision,
  version,
  value,
  lease,
}: KeyValue): string {
  const sum = `${value.length} bytes, CRC ${crc32c(value)}`;
  return `${key}(${createRevision},${modRevision},${version}) lease ${lease}: ${sum}`;
}

function show(events: readonly ModelEvent[]): string {
  return events
    .map(({ key, keyValue }) => (keyValue ? `PUT ${showKeyValue(keyValue)}` : `DELETE ${key}`))
    .join('\n');
}
