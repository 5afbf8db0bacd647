import type { RangeResponse, ResponseHeader, TxnResponse } from '../proto/gen/etcdserverpb/rpc.js';
import type { KeyValue } from '../proto/gen/mvccpb/kv.js';
import {
  contenderKey,
  contenderPrefix,
  createRevisionIs,
  getOperation,
  oldestUnder,
  putOperation,
  waitForPredecessors,
} from './contender.js';
import type { RecipeOptions, RecipeStore } from './store.js';

/** A lock could not be taken or given back. */
export class LockError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LockError';
  }
}

/** A lock that all who use the same name share; each lease is one of them (semantics 10). */
export class LeaseLock {
  readonly lease: bigint;
  /** The key that stands for this lease. */
  readonly key: Buffer;
  readonly #store: RecipeStore;
  readonly #prefix: Buffer;
  #revision = 0;
  #ownedHeader: ResponseHeader | undefined;

  constructor(store: RecipeStore, lease: bigint, name: Buffer) {
    this.#store = store;
    this.lease = lease;
    this.#prefix = contenderPrefix(name);
    this.key = contenderKey(this.#prefix, lease);
  }

  /** Revision that created the key; 0 while there is none. */
  get createRevision(): number {
    return this.#revision;
  }

  /** The header of the response that told us that we hold the lock. */
  get header(): ResponseHeader | undefined {
    return this.#ownedHeader;
  }

  /**
   * Takes the lock, waiting for those who came before. When waiting fails, the own key goes too.
   * @throws LockError `mutex: session is expired`; RpcError Canceled when the signal is aborted
   */
  async acquire(options: RecipeOptions = {}): Promise<void> {
    const { response, owner } = await this.#enlist(options);
    if (this.#isOurs(owner)) {
      this.#ownedHeader = response.header;
      return;
    }
    const own = await this.#waitForTurn(options);
    if (own.kvs.length === 0) throw new LockError('mutex: session is expired');
    this.#ownedHeader = own.header;
  }

  /**
   * Takes the lock if nobody holds it.
   * @throws LockError `mutex: Locked by another session`
   */
  async tryAcquire(options: RecipeOptions = {}): Promise<void> {
    const { response, owner } = await this.#enlist(options);
    if (this.#isOurs(owner)) {
      this.#ownedHeader = response.header;
      return;
    }
    await this.#removeKey();
    throw new LockError('mutex: Locked by another session');
  }

  /** @throws LockError `mutex: lock has already been released` */
  async release(): Promise<void> {
    if (this.#revision === 0) throw new LockError('mutex: lock has already been released');
    await this.#removeKey();
  }

  /** Enters the own key unless it is there, and asks for the oldest. */
  async #enlist(
    options: RecipeOptions,
  ): Promise<{ response: TxnResponse; owner: KeyValue | undefined }> {
    const getOwner = getOperation(oldestUnder(this.#prefix));
    const response = await this.#store.txn(
      {
        compare: [createRevisionIs(this.key, 0)],
        success: [putOperation({ key: this.key, lease: this.lease }), getOwner],
        failure: [getOperation({ key: this.key }), getOwner],
      },
      options,
    );
    const [own, oldest] = response.responses;
    this.#revision = response.header?.revision ?? 0;
    if (!response.succeeded && own?.response?.$case === 'responseRange') {
      this.#revision = own.response.value.kvs[0]?.createRevision ?? 0;
    }
    const owner =
      oldest?.response?.$case === 'responseRange' ? oldest.response.value.kvs[0] : undefined;
    return { response, owner };
  }

  /** Waits for those who came before; what is left of the own key then. */
  async #waitForTurn(options: RecipeOptions): Promise<RangeResponse> {
    try {
      await waitForPredecessors(this.#store, this.#prefix, this.#revision, options);
      return await this.#store.range({ key: this.key }, options);
    } catch (error) {
      // Why waiting failed matters more than a failure to tidy up; the lease takes the key in time.
      await this.#removeKey().catch(() => undefined);
      throw error;
    }
  }

  #isOurs(owner: KeyValue | undefined): boolean {
    return owner === undefined || owner.createRevision === this.#revision;
  }

  async #removeKey(): Promise<void> {
    await this.#store.deleteRange({ key: this.key });
    this.#revision = 0;
    this.#ownedHeader = undefined;
  }
}
