import type { Random } from '../../src/platform/random.js';
import {
  Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
} from '../../src/proto/gen/etcdserverpb/rpc.js';
import type { KeyspaceModel, ModelChange } from './keyspace-model.js';

/** Keys of one client that it alone deletes outside of transactions. */
const KEYS_PER_SECTION = 12;
const LEASE_TTL_SECONDS = 100_000;
/** One value in this many is large. */
const LARGE_EVERY = 40;
const LARGE_BYTES = 12_000;

interface Write {
  /** Unique; every value that the operation puts begins with it. */
  readonly id: string;
}

interface Put {
  readonly key: string;
  readonly value: string;
  readonly lease: bigint;
}

/** A step of a transaction. */
type Step = ({ readonly kind: 'put' } & Put) | { readonly kind: 'delete'; readonly key: string };

/** What a client asks for. */
export type Operation = Write &
  (
    | ({ readonly kind: 'put' } & Put)
    | { readonly kind: 'delete'; readonly key: string; readonly end: string }
    | {
        readonly kind: 'txn';
        /** The first branch is taken if this key is there. */
        readonly ifPresent: string;
        readonly success: readonly Step[];
        readonly failure: readonly Step[];
      }
    | { readonly kind: 'compact'; readonly revision: number }
    | { readonly kind: 'grant'; readonly lease: bigint }
    | { readonly kind: 'revoke'; readonly lease: bigint }
  );

/** A server's answer. */
export interface Acknowledgement {
  /** Revision of the response header. */
  readonly revision: number;
  /** Keys that a delete found. */
  readonly deleted?: number;
  /** The branch of a transaction. */
  readonly succeeded?: boolean;
}

/** How operations reach a server; rejects if the outcome is unknown or the operation refused. */
export interface Destination {
  put(request: PutRequest): Promise<Acknowledgement>;
  delete(request: DeleteRangeRequest): Promise<Acknowledgement>;
  txn(request: TxnRequest): Promise<Acknowledgement>;
  compact(revision: number): Promise<Acknowledgement>;
  grant(lease: bigint, ttlSeconds: number): Promise<Acknowledgement>;
  revoke(lease: bigint): Promise<Acknowledgement>;
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** What an operation does to a keyspace. */
export function effectOf(operation: Operation, model: KeyspaceModel): readonly ModelChange[] {
  switch (operation.kind) {
    case 'put': {
      const { key, value, lease } = operation;
      return [{ kind: 'put', key, value, lease }];
    }
    case 'delete':
      return model.keysIn(operation.key, operation.end).map((key) => ({ kind: 'delete', key }));
    case 'txn': {
      const { ifPresent, success, failure } = operation;
      const steps = model.live.has(ifPresent) ? success : failure;
      // A transaction deletes what was there before it; its steps have different keys.
      return steps.filter((step) => step.kind === 'put' || model.live.has(step.key));
    }
    case 'revoke':
      return model.keysOfLease(operation.lease).map((key) => ({ kind: 'delete', key }));
    default:
      return [];
  }
}

export function send(to: Destination, operation: Operation): Promise<Acknowledgement> {
  switch (operation.kind) {
    case 'put':
      return to.put(putRequest(operation));
    case 'delete':
      return to.delete(deleteRequest(operation.key, operation.end));
    case 'txn':
      return to.txn(txnRequest(operation));
    case 'compact':
      return to.compact(operation.revision);
    case 'grant':
      return to.grant(operation.lease, LEASE_TTL_SECONDS);
    case 'revoke':
      return to.revoke(operation.lease);
  }
}

function putRequest({ key, value, lease }: Put): PutRequest {
  return PutRequest.create({ key: latin1(key), value: latin1(value), lease });
}

function deleteRequest(key: string, end: string): DeleteRangeRequest {
  return DeleteRangeRequest.create({ key: latin1(key), rangeEnd: latin1(end) });
}

function txnRequest({
  ifPresent,
  success,
  failure,
}: Extract<Operation, { kind: 'txn' }>): TxnRequest {
  const compare = Compare.create({
    key: latin1(ifPresent),
    target: CompareTarget.VERSION,
    result: CompareResult.GREATER,
    targetUnion: { $case: 'version', value: 0 },
  });
  return TxnRequest.create({
    compare: [compare],
    success: success.map(requestOp),
    // A nested transaction and a read, so that these are written to the log as well.
    failure: [
      ...failure.map(requestOp),
      {
        request: {
          $case: 'requestTxn',
          value: TxnRequest.create({
            success: [
              {
                request: {
                  $case: 'requestRange',
                  value: RangeRequest.create({ key: latin1(ifPresent) }),
                },
              },
            ],
          }),
        },
      },
    ],
  });
}

function requestOp(step: Step): RequestOp {
  return step.kind === 'put'
    ? { request: { $case: 'requestPut', value: putRequest(step) } }
    : { request: { $case: 'requestDeleteRange', value: deleteRequest(step.key, '') } };
}

/** What a generator has to know of the history so far. */
export interface WorkloadState {
  /** Compactions go up to here, so that what came later can still be looked up. */
  readonly compactTo: number;
  readonly compactRevision: number;
  readonly sections: number;
}

/**
 * Makes the operations of one client, which sends them one after another. A key that it deletes, it
 * deletes in its own section or in a transaction that also puts, so that a history tells whose
 * deletion it holds.
 */
export class WorkloadClient {
  readonly #random: Random;
  readonly #state: WorkloadState;
  readonly #section: number;
  readonly #prefix: string;
  readonly #leases: bigint[] = [];
  #count = 0;

  /** @param name unique among all clients of a history */
  constructor(name: number, section: number, random: Random, state: WorkloadState) {
    this.#prefix = `#${name}.`;
    this.#section = section;
    this.#random = random;
    this.#state = state;
  }

  next(): Operation {
    const id = `${this.#prefix}${this.#count++}:`;
    const roll = this.#random.integer(100);
    if (roll < 45) return { kind: 'put', id, ...this.#put(id, this.#anyKey()) };
    if (roll < 55) return this.#delete(id);
    if (roll < 80) return this.#txn(id);
    if (roll < 85) return this.#compact(id);
    if (roll < 88 || this.#leases.length === 0)
      return { kind: 'grant', id, lease: this.#newLease() };
    const lease = this.#leases[this.#random.integer(this.#leases.length)] ?? 0n;
    if (roll < 98) {
      return { kind: 'put', id, ...this.#put(id, this.#leaseKey(lease)), lease };
    }
    this.#leases.splice(this.#leases.indexOf(lease), 1);
    return { kind: 'revoke', id, lease };
  }

  #put(id: string, key: string): Put {
    const length = this.#random.integer(LARGE_EVERY) === 0 ? LARGE_BYTES : 20;
    return { key, value: id.padEnd(this.#random.integer(length), '.'), lease: 0n };
  }

  #delete(id: string): Operation {
    const key = this.#key(this.#section);
    const isRange = this.#random.integer(3) === 0;
    return { kind: 'delete', id, key, end: isRange ? `${key}\xff` : '' };
  }

  #txn(id: string): Operation {
    const keys = [...new Set([this.#anyKey(), this.#anyKey(), this.#anyKey()])];
    const marker = this.#put(id, `txn/${this.#section}`);
    const steps = (): Step[] => [
      { kind: 'put', ...marker },
      ...keys.map((key): Step => {
        const isDelete = this.#random.integer(3) === 0;
        return isDelete ? { kind: 'delete', key } : { kind: 'put', ...this.#put(id, key) };
      }),
    ];
    return { kind: 'txn', id, ifPresent: this.#anyKey(), success: steps(), failure: steps() };
  }

  #compact(id: string): Operation {
    const { compactTo, compactRevision } = this.#state;
    const span = compactTo - compactRevision;
    const chosen = compactTo - (span > 0 ? this.#random.integer(Math.min(span, 100)) : 0);
    // Trap: releases do not agree on what is compacted after a compaction to 0.
    const revision = Math.max(1, chosen);
    return { kind: 'compact', id, revision };
  }

  #newLease(): bigint {
    const lease = BigInt(1 + this.#random.integer(2 ** 48));
    this.#leases.push(lease);
    return lease;
  }

  #leaseKey(lease: bigint): string {
    return `lease/${lease.toString(16)}/${this.#random.integer(4)}`;
  }

  #anyKey(): string {
    return this.#key(this.#random.integer(this.#state.sections));
  }

  #key(section: number): string {
    return `key/${section}/${this.#random.integer(KEYS_PER_SECTION)}`;
  }
}
