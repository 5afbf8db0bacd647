import type { ResponseHeader, TxnResponse } from '../../proto/gen/etcdserverpb/rpc.js';
import type { KeyValue } from '../../proto/gen/mvccpb/kv.js';
import type { CallOptions } from '../caller.js';
import {
  contenderKey,
  contenderPrefix,
  createRevisionIs,
  getOperation,
  oldestUnder,
  putOperation,
  waitForPredecessors,
} from './contender.js';
import type { Session } from './session.js';

/** A lock could not be taken or given back. */
export class LockError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LockError';
  }
}

/** A lock shared by all sessions that use the same name (reference: semantics 10). */
export class Lock {
  readonly session: Session;
  /** The key that stands for this session. */
  readonly key: Buffer;
  private readonly prefix: Buffer;
  private revision = 0;
  private ownedHeader: ResponseHeader | undefined;

  constructor(session: Session, name: Buffer) {
    this.session = session;
    this.prefix = contenderPrefix(name);
    this.key = contenderKey(this.prefix, session);
  }

  /** Revision that created the key; 0 while there is none. */
  get createRevision(): number {
    return this.revision;
  }

  /** The header of the response that told us that we hold the lock. */
  get header(): ResponseHeader | undefined {
    return this.ownedHeader;
  }

  /**
   * Takes the lock, waiting for those who came before. When waiting fails, the own key goes too.
   *
   * @throws LockError `mutex: session is expired`; CallError when `options.signal` is aborted.
   */
  async acquire(options: CallOptions = {}): Promise<void> {
    const { response, owner } = await this.enlist(options);
    if (this.isOurs(owner)) {
      this.ownedHeader = response.header;
      return;
    }
    const { client } = this.session;
    try {
      await waitForPredecessors(client, this.prefix, this.revision, options);
      const own = await client.kv.range({ key: this.key }, options);
      if (own.kvs.length === 0) {
        throw new LockError('mutex: session is expired');
      }
      this.ownedHeader = own.header;
    } catch (error) {
      await this.removeKey();
      throw error;
    }
  }

  /**
   * Takes the lock if nobody holds it.
   *
   * @throws LockError `mutex: Locked by another session`
   */
  async tryAcquire(options: CallOptions = {}): Promise<void> {
    const { response, owner } = await this.enlist(options);
    if (this.isOurs(owner)) {
      this.ownedHeader = response.header;
      return;
    }
    await this.removeKey();
    throw new LockError('mutex: Locked by another session');
  }

  /** @throws LockError `mutex: lock has already been released` */
  async release(): Promise<void> {
    if (this.revision === 0) {
      throw new LockError('mutex: lock has already been released');
    }
    await this.removeKey();
  }

  /** Enters the own key unless it is there, and asks for the oldest. */
  private async enlist(
    options: CallOptions,
  ): Promise<{ response: TxnResponse; owner: KeyValue | undefined }> {
    const getOwner = getOperation(oldestUnder(this.prefix));
    const response = await this.session.client.kv.txn(
      {
        compare: [createRevisionIs(this.key, 0)],
        success: [putOperation({ key: this.key, lease: this.session.lease }), getOwner],
        failure: [getOperation({ key: this.key }), getOwner],
      },
      options,
    );
    const [own, oldest] = response.responses;
    this.revision = response.header?.revision ?? 0;
    if (!response.succeeded && own?.response?.$case === 'responseRange') {
      this.revision = own.response.value.kvs[0]?.createRevision ?? 0;
    }
    const owner =
      oldest?.response?.$case === 'responseRange' ? oldest.response.value.kvs[0] : undefined;
    return { response, owner };
  }

  private isOurs(owner: KeyValue | undefined): boolean {
    return owner === undefined || owner.createRevision === this.revision;
  }

  private async removeKey(): Promise<void> {
    await this.session.client.kv.deleteRange({ key: this.key });
    this.revision = 0;
    this.ownedHeader = undefined;
  }
}
