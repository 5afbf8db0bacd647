import type { Random } from '../../src/platform/random.js';
import {
  Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  type RequestOp,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
  type TxnRequest,
} from '../../src/proto/gen/etcdserverpb/rpc.js';

export type KeyValueRequest =
  | { readonly kind: 'range'; readonly value: RangeRequest }
  | { readonly kind: 'put'; readonly value: PutRequest }
  | { readonly kind: 'deleteRange'; readonly value: DeleteRangeRequest }
  | { readonly kind: 'txn'; readonly value: TxnRequest };

const KEYS = ['a', 'b', 'b/1', 'b/2', 'c', 'd', '\xff'];
const ENDS = ['', '', 'b0', 'c', 'e', 'a'];
const FROM_KEY = '\0';
const VALUES = ['', 'x', 'y', 'zz'];
/** 3n was never granted. */
const LEASES = [0n, 0n, 0n, 0n, 1n, 2n, 3n];
const MAX_DEPTH = 3;

/** Makes requests over few keys and revisions near the current one, so that they meet. */
export class RequestGenerator {
  readonly #random: Random;
  readonly #store: { readonly currentRevision: number };
  /**
   * Trap: etcd panics when it puts with ignore_value or ignore_lease a key that the same transaction
   * deleted by a range to the end of all keys. So a request has either, not both.
   */
  #deletesFromKey = false;

  constructor(random: Random, store: { readonly currentRevision: number }) {
    this.#random = random;
    this.#store = store;
  }

  next(): KeyValueRequest {
    this.#deletesFromKey = this.#chance(2);
    switch (this.#random.integer(10)) {
      case 0:
      case 1:
      case 2:
        return { kind: 'range', value: this.#range() };
      case 3:
        return { kind: 'put', value: this.#put() };
      case 4:
        return { kind: 'deleteRange', value: this.#delete() };
      default:
        return { kind: 'txn', value: this.#txn(0) };
    }
  }

  #range(): RangeRequest {
    return RangeRequest.create({
      key: this.#key(),
      rangeEnd: this.#end(true),
      limit: this.#chance(3) ? this.#random.integer(4) : 0,
      revision: this.#chance(4) ? this.#revision(12) : 0,
      sortOrder: this.#pick([SortOrder.NONE, SortOrder.NONE, SortOrder.ASCEND, SortOrder.DESCEND]),
      sortTarget: this.#pick(Object.values(SortTarget)),
      countOnly: this.#chance(8),
      minModRevision: this.#chance(6) ? this.#revision(10) : 0,
      maxModRevision: this.#chance(6) ? this.#revision(10) : 0,
      minCreateRevision: this.#chance(6) ? this.#revision(20) : 0,
      maxCreateRevision: this.#chance(6) ? this.#revision(20) : 0,
    });
  }

  #put(): PutRequest {
    const mayIgnore = !this.#deletesFromKey;
    return PutRequest.create({
      key: this.#key(),
      value: Buffer.from(this.#pick(VALUES)),
      lease: this.#pick(LEASES),
      prevKv: this.#chance(2),
      ignoreValue: mayIgnore && this.#chance(6),
      ignoreLease: mayIgnore && this.#chance(6),
    });
  }

  #delete(): DeleteRangeRequest {
    return DeleteRangeRequest.create({
      key: this.#key(),
      rangeEnd: this.#end(this.#deletesFromKey),
      prevKv: this.#chance(2),
    });
  }

  #txn(depth: number): TxnRequest {
    return {
      compare: this.#upTo(2, () => this.#compare()),
      success: this.#upTo(3, () => this.#operation(depth)),
      failure: this.#upTo(3, () => this.#operation(depth)),
    };
  }

  #operation(depth: number): RequestOp {
    switch (this.#random.integer(depth < MAX_DEPTH ? 4 : 3)) {
      case 0:
        return { request: { $case: 'requestRange', value: this.#range() } };
      case 1:
        return { request: { $case: 'requestPut', value: this.#put() } };
      case 2:
        return { request: { $case: 'requestDeleteRange', value: this.#delete() } };
      default:
        return { request: { $case: 'requestTxn', value: this.#txn(depth + 1) } };
    }
  }

  /** The union often does not fit the target. */
  #compare(): Compare {
    const targetUnion = this.#pick<() => Compare['targetUnion']>([
      () => undefined,
      () => ({ $case: 'version', value: this.#random.integer(4) }),
      () => ({ $case: 'createRevision', value: this.#revision(9) }),
      () => ({ $case: 'modRevision', value: this.#chance(2) ? 0 : this.#revision(9) }),
      () => ({ $case: 'value', value: Buffer.from(this.#pick(VALUES)) }),
      () => ({ $case: 'lease', value: this.#pick(LEASES) }),
    ])();
    return Compare.create({
      key: this.#key(),
      rangeEnd: this.#end(true),
      result: this.#pick(Object.values(CompareResult)),
      target: this.#pick(Object.values(CompareTarget)),
      targetUnion,
    });
  }

  /** One of the last `count` revisions, or the next. */
  #revision(count: number): number {
    return Math.max(0, this.#store.currentRevision + 1 - this.#random.integer(count));
  }

  #key(): Buffer {
    return Buffer.from(this.#pick(KEYS), 'latin1');
  }

  #end(mayBeFromKey: boolean): Buffer {
    const end = mayBeFromKey && this.#chance(6) ? FROM_KEY : this.#pick(ENDS);
    return Buffer.from(end, 'latin1');
  }

  #upTo<T>(count: number, make: () => T): T[] {
    return Array.from({ length: this.#random.integer(count + 1) }, make);
  }

  /** True once in `times`. */
  #chance(times: number): boolean {
    return this.#random.integer(times) === 0;
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.integer(choices.length)] as T;
  }
}
