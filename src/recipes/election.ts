import {
  DeleteRangeRequest,
  type ResponseHeader,
  type TxnResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import type { KeyValue } from '../proto/gen/mvccpb/kv.js';
import {
  contenderKey,
  contenderPrefix,
  createRevisionIs,
  getOperation,
  putOperation,
  waitForPredecessors,
} from './contender.js';
import { ElectionError } from './leader.js';
import type { RecipeOptions, RecipeStore } from './store.js';

/** A leadership as it is known to others: what a campaign won. */
export interface Leadership {
  readonly key: Buffer;
  /** Revision that created the key. */
  readonly createRevision: number;
}

/** A leadership that leases contend for (reference: semantics 10). */
export class LeaseElection {
  readonly lease: bigint;
  /** The key that stands for this lease. */
  readonly key: Buffer;
  readonly #store: RecipeStore;
  readonly #prefix: Buffer;
  /** Revision that created the key; undefined while the lease does not stand for election. */
  #createRevision: number | undefined;
  #header: ResponseHeader | undefined;

  /** @param won goes on with a leadership that was won elsewhere */
  constructor(store: RecipeStore, lease: bigint, name: Buffer, won?: Leadership) {
    this.#store = store;
    this.lease = lease;
    this.#prefix = contenderPrefix(name);
    this.key = won?.key ?? contenderKey(this.#prefix, lease);
    this.#createRevision = won?.createRevision;
  }

  /** Revision that created the key; 0 if not leading. */
  get createRevision(): number {
    return this.#createRevision ?? 0;
  }

  /** The header of the last step that succeeded; for a campaign, of its first answer. */
  get header(): ResponseHeader | undefined {
    return this.#header;
  }

  /**
   * Stands for election with `value` and waits until elected. If the wait is cancelled, the
   * candidacy is withdrawn.
   * @throws RpcError Canceled when `options.signal` is aborted
   */
  async campaign(value: Buffer, options: RecipeOptions = {}): Promise<void> {
    const { lease, key } = this;
    const response = await this.#store.txn(
      {
        compare: [createRevisionIs(key, 0)],
        success: [putOperation({ key, value, lease })],
        failure: [getOperation({ key })],
      },
      options,
    );
    let revision = response.header?.revision ?? 0;
    const [existing] = response.succeeded ? [] : keysOf(response);
    if (existing !== undefined) revision = existing.createRevision;
    this.#createRevision = revision;
    if (existing !== undefined && !existing.value.equals(value)) {
      await this.#reproclaim(value, options);
    }
    try {
      await waitForPredecessors(this.#store, this.#prefix, revision, options);
    } catch (error) {
      if (options.signal?.aborted) await this.resign();
      this.#createRevision = undefined;
      throw error;
    }
    this.#header = response.header;
  }

  /** @throws ElectionError `election: not leader` */
  async proclaim(value: Buffer, options: RecipeOptions = {}): Promise<void> {
    const { lease, key } = this;
    // Trap: revision 0 would compare equal to a key that is gone, and bring it back.
    if (this.#createRevision === undefined) throw notLeader();
    const response = await this.#store.txn(
      {
        compare: [createRevisionIs(key, this.#createRevision)],
        success: [putOperation({ key, value, lease })],
      },
      options,
    );
    if (!response.succeeded) {
      this.#createRevision = undefined;
      throw notLeader();
    }
    this.#header = response.header;
  }

  /** Gives the leadership up; not leading is success too. */
  async resign(options: RecipeOptions = {}): Promise<void> {
    if (this.#createRevision === undefined) return;
    const value = DeleteRangeRequest.create({ key: this.key });
    const response = await this.#store.txn(
      {
        compare: [createRevisionIs(this.key, this.#createRevision)],
        success: [{ request: { $case: 'requestDeleteRange', value } }],
      },
      options,
    );
    this.#header = response.header;
    this.#createRevision = undefined;
  }

  /** The lease already stands, with another value: that value is replaced first. */
  async #reproclaim(value: Buffer, options: RecipeOptions): Promise<void> {
    try {
      await this.proclaim(value, options);
    } catch (error) {
      await this.resign();
      throw error;
    }
  }
}

/** The keys that the only operation of a transaction read. */
function keysOf({ responses }: TxnResponse): readonly KeyValue[] {
  const response = responses[0]?.response;
  return response?.$case === 'responseRange' ? response.value.kvs : [];
}

function notLeader(): ElectionError {
  return new ElectionError('election: not leader');
}
