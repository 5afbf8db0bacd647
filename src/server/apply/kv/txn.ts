import { type KeyText, keyText } from '../../../base/bytes.js';
import { etcdError } from '../../../proto/errors.js';
import type {
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../../proto/gen/etcdserverpb/rpc.js';
import { FROM_KEY } from '../../../storage/mvcc/key-range.js';
import type { MvccReader } from '../../../storage/mvcc/reader.js';
import type { MvccStore } from '../../../storage/mvcc/store.js';
import type { WriteTransaction } from '../../../storage/mvcc/write-transaction.js';
import { evaluateCompare } from './compare.js';
import { type DeleteRangeResult, executeDeleteRange } from './delete-range.js';
import { checkPut, executePut, type PutResult } from './put.js';
import { executeRange, type RangeResult } from './range.js';

/** The result of one operation, of the same kind as the request. */
export type OperationResult =
  | { readonly kind: 'range'; readonly value: RangeResult }
  | { readonly kind: 'put'; readonly value: PutResult }
  | { readonly kind: 'deleteRange'; readonly value: DeleteRangeResult }
  | { readonly kind: 'txn'; readonly value: BranchResult };

export interface BranchResult {
  /** Whether all compares held, so that the results are those of the success branch. */
  readonly succeeded: boolean;
  /** In the order of the operations. */
  readonly results: readonly OperationResult[];
}

export interface TxnResult extends BranchResult {
  /** A new revision if anything changed, else the current one. */
  readonly revision: number;
}

/**
 * A transaction that was found in order failed while it was carried out. Half of it may be applied,
 * so the process must end before anybody sees that (reference: semantics 2).
 */
export class HalfAppliedTxnError extends Error {
  constructor(cause: unknown) {
    super(`a transaction failed after its checks passed: ${String(cause)}`, { cause });
    this.name = 'HalfAppliedTxnError';
  }
}

/** The branch that the compares of a transaction chose, and those of the nested ones in it. */
interface Branch {
  readonly succeeded: boolean;
  readonly operations: readonly RequestOp[];
  /** Of each nested transaction, in the order of the operations. */
  readonly nested: readonly Branch[];
}

/**
 * Applies a transaction that may write (reference: semantics 3.6). If nobody on this member waits
 * for the answer, its ranges are checked but not executed.
 *
 * @throws EtcdError FutureRev, Compacted, LeaseNotFound, KeyNotFound; nothing has changed then
 * @throws HalfAppliedTxnError if it failed later
 */
export function applyTxn(store: MvccStore, request: TxnRequest, isAwaited: boolean): TxnResult {
  const branch = chooseBranch(store.reader, request);
  new BranchCheck(store).check(branch);
  try {
    const transaction = store.write();
    const execution = new Execution(transaction, transaction, !isAwaited);
    const result = { ...execution.run(branch), revision: transaction.revision };
    transaction.end();
    return result;
  } catch (error) {
    throw new HalfAppliedTxnError(error);
  }
}

/**
 * Executes a transaction of ranges alone on the current state.
 *
 * @throws EtcdError FutureRev, Compacted
 */
export function executeReadOnlyTxn(store: MvccStore, request: TxnRequest): TxnResult {
  const { reader } = store;
  const branch = chooseBranch(reader, request);
  new BranchCheck(store).check(branch);
  return { ...new Execution(reader, undefined, false).run(branch), revision: reader.revision };
}

/** All compares, the nested ones too, look at the state before the transaction. */
function chooseBranch(reader: MvccReader, request: TxnRequest): Branch {
  const succeeded = request.compare.every((compare) => evaluateCompare(reader, compare));
  const operations = succeeded ? request.success : request.failure;
  const nested: Branch[] = [];
  for (const { request: operation } of operations) {
    if (operation?.$case === 'requestTxn') {
      nested.push(chooseBranch(reader, operation.value));
    }
  }
  return { succeeded, operations, nested };
}

/** Checks the operations that will run, and only those, against the state before any of them. */
class BranchCheck {
  readonly #store: MvccStore;
  /** From here on all keys are deleted by an operation checked before. */
  #deletedFrom: KeyText | undefined;

  constructor(store: MvccStore) {
    this.#store = store;
  }

  check(branch: Branch): void {
    let nested = 0;
    for (const { request: operation } of branch.operations) {
      switch (operation?.$case) {
        case 'requestRange':
          this.#checkRange(operation.value);
          break;
        case 'requestPut':
          this.#checkPut(operation.value);
          break;
        case 'requestDeleteRange':
          if (keyText(operation.value.rangeEnd) === FROM_KEY) {
            this.#noteDeletedFrom(keyText(operation.value.key));
          }
          break;
        case 'requestTxn':
          this.check(branch.nested[nested++] as Branch);
          break;
        default:
          throw etcdError('KeyNotFound');
      }
    }
  }

  /** Trap: unlike in a range of its own, a negative revision is not "now" but compared as it is. */
  #checkRange({ revision }: RangeRequest): void {
    const { reader } = this.#store;
    if (revision === 0) {
      return;
    }
    if (revision > reader.revision) {
      throw etcdError('FutureRev');
    }
    if (revision < reader.compactRevision) {
      throw etcdError('Compacted');
    }
  }

  #checkPut(request: PutRequest): void {
    checkPut(this.#store, request);
    // A deletion of all keys from one on is the only one that the analysis of duplicate keys lets
    // pass together with a put, so what the put builds on may be gone when its turn comes.
    if (
      this.#deletedFrom !== undefined &&
      (request.ignoreValue || request.ignoreLease) &&
      keyText(request.key) >= this.#deletedFrom
    ) {
      throw etcdError('KeyNotFound');
    }
  }

  #noteDeletedFrom(key: KeyText): void {
    if (this.#deletedFrom === undefined || key < this.#deletedFrom) {
      this.#deletedFrom = key;
    }
  }
}

/** Carries out chosen branches in order; later operations see what earlier ones wrote. */
class Execution {
  readonly #reader: MvccReader;
  readonly #transaction: WriteTransaction | undefined;
  readonly #skipsRanges: boolean;

  constructor(reader: MvccReader, transaction: WriteTransaction | undefined, skipsRanges: boolean) {
    this.#reader = reader;
    this.#transaction = transaction;
    this.#skipsRanges = skipsRanges;
  }

  run(branch: Branch): BranchResult {
    const results: OperationResult[] = [];
    let nested = 0;
    for (const { request: operation } of branch.operations) {
      switch (operation?.$case) {
        case 'requestRange':
          results.push({ kind: 'range', value: this.#range(operation.value) });
          break;
        case 'requestPut':
          results.push({ kind: 'put', value: executePut(this.#writable(), operation.value) });
          break;
        case 'requestDeleteRange':
          results.push({
            kind: 'deleteRange',
            value: executeDeleteRange(this.#writable(), operation.value),
          });
          break;
        case 'requestTxn':
          results.push({ kind: 'txn', value: this.run(branch.nested[nested++] as Branch) });
          break;
        default:
          throw new Error('an operation without a request passed the checks');
      }
    }
    return { succeeded: branch.succeeded, results };
  }

  #range(request: RangeRequest): RangeResult {
    if (this.#skipsRanges) {
      return { revision: this.#reader.revision, keyValues: [], more: false, count: 0 };
    }
    return executeRange(this.#reader, request);
  }

  #writable(): WriteTransaction {
    if (this.#transaction === undefined) {
      throw new Error('a read-only transaction must not write');
    }
    return this.#transaction;
  }
}
