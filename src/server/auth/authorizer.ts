import { type KeyText, keyText } from '../../base/bytes.js';
import { etcdError } from '../../proto/errors.js';
import type {
  DeleteRangeRequest,
  PutRequest,
  RequestOp,
  TxnRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import { ONE_KEY, type RangeEnd } from '../../storage/mvcc/key-range.js';
import type { AuthStore } from './auth-store.js';
import type { Caller } from './caller.js';
import type { Access } from './user-permissions.js';

/** Which keys hang on which lease. */
export interface LeaseKeys {
  get(id: bigint): { readonly keys: Iterable<KeyText> } | undefined;
  list(): readonly { readonly keys: Iterable<KeyText> }[];
}

const SINGLE = Buffer.alloc(0);

/**
 * Says who may do what. Every check passes while authentication is off and throws the error of the
 * refusal otherwise. Source: reference, semantics 7.4 and api 1 (Who).
 */
export class Authorizer {
  readonly #store: AuthStore;
  readonly #leases: LeaseKeys;

  constructor(store: AuthStore, leases: LeaseKeys) {
    this.#store = store;
    this.#leases = leases;
  }

  /** While false, nobody need be asked who they are. */
  get enabled(): boolean {
    return this.#store.enabled;
  }

  /** @throws EtcdError UserEmpty */
  requireIdentity(caller: Caller): void {
    if (this.#store.enabled && caller.username === '') throw etcdError('UserEmpty');
  }

  /**
   * Trap: the revision of the caller does not matter here.
   * @throws EtcdError UserEmpty, UserNotFound, PermissionDenied
   */
  requireAdmin(caller: Caller): void {
    if (!this.#store.enabled) return;
    if (caller.username === '') throw etcdError('UserEmpty');
    const user = this.#store.user(caller.username);
    if (user === undefined) throw etcdError('UserNotFound');
    if (!user.isAdmin) throw etcdError('PermissionDenied');
  }

  /**
   * After a read that took more than one turn of the event loop: what the caller may see must not
   * have changed meanwhile (reference: semantics 5).
   * @throws EtcdError AuthOldRevision
   */
  requireUnchanged(caller: Caller): void {
    if (caller.authRevision !== 0 && caller.authRevision !== this.#store.revision) {
      throw etcdError('AuthOldRevision');
    }
  }

  /** @throws EtcdError UserEmpty, AuthOldRevision, PermissionDenied */
  requireRead(caller: Caller, key: Uint8Array, rangeEnd: Uint8Array = SINGLE): void {
    if (this.#store.enabled) this.#require('read', caller, keyText(key), keyText(rangeEnd));
  }

  /** @throws EtcdError UserEmpty, AuthOldRevision, PermissionDenied */
  requireWrite(caller: Caller, key: Uint8Array, rangeEnd: Uint8Array = SINGLE): void {
    if (this.#store.enabled) this.#require('write', caller, keyText(key), keyText(rangeEnd));
  }

  /**
   * A put may hang its key on a lease only if the caller may write all that hangs there already:
   * revoking the lease, which takes those keys along, would then be up to the caller.
   * @throws EtcdError UserEmpty, AuthOldRevision, PermissionDenied
   */
  requirePut(caller: Caller, { key, lease, prevKv }: PutRequest): void {
    if (!this.#store.enabled) return;
    this.requireWrite(caller, key);
    if (lease !== 0n) this.requireLeaseWrite(caller, lease);
    if (prevKv) this.requireRead(caller, key);
  }

  /** @throws EtcdError UserEmpty, AuthOldRevision, PermissionDenied */
  requireDelete(caller: Caller, { key, rangeEnd, prevKv }: DeleteRangeRequest): void {
    if (!this.#store.enabled) return;
    this.requireWrite(caller, key, rangeEnd);
    if (prevKv) this.requireRead(caller, key, rangeEnd);
  }

  /**
   * All compares, and the operations of both branches: which of them runs is no excuse for the
   * other.
   * @throws EtcdError UserEmpty, AuthOldRevision, PermissionDenied
   */
  requireTxn(caller: Caller, { compare, success, failure }: TxnRequest): void {
    if (!this.#store.enabled) return;
    for (const { key, rangeEnd } of compare) this.requireRead(caller, key, rangeEnd);
    for (const operation of success) this.#requireOperation(caller, operation);
    for (const operation of failure) this.#requireOperation(caller, operation);
  }

  /**
   * The right to revoke or renew a lease: to write every key that hangs on it. An unknown lease
   * needs no right: what it was asked for says that it is not there.
   * @throws EtcdError UserEmpty, AuthOldRevision, PermissionDenied
   */
  requireLeaseWrite(caller: Caller, id: bigint): void {
    if (!this.#store.enabled || this.#isAdmin(caller)) return;
    for (const key of this.#leases.get(id)?.keys ?? [])
      this.#require('write', caller, key, ONE_KEY);
  }

  /** The right to see which keys hang on a lease. @throws as {@link requireRead} */
  requireLeaseRead(caller: Caller, id: bigint): void {
    if (!this.#store.enabled) return;
    for (const key of this.#leases.get(id)?.keys ?? []) this.#require('read', caller, key, ONE_KEY);
  }

  /** The right to see which leases there are: to read every key on any. @throws as requireRead */
  requireAllLeasesRead(caller: Caller): void {
    if (!this.#store.enabled) return;
    for (const { keys } of this.#leases.list()) {
      for (const key of keys) this.#require('read', caller, key, ONE_KEY);
    }
  }

  #isAdmin({ username }: Caller): boolean {
    return this.#store.user(username)?.isAdmin === true;
  }

  #requireOperation(caller: Caller, { request }: RequestOp): void {
    switch (request?.$case) {
      case 'requestRange':
        this.requireRead(caller, request.value.key, request.value.rangeEnd);
        return;
      case 'requestPut':
        this.requirePut(caller, request.value);
        return;
      case 'requestDeleteRange':
        this.requireDelete(caller, request.value);
        return;
      case 'requestTxn':
        this.requireTxn(caller, request.value);
        return;
      default:
      // An operation without a request touches nothing; the transaction itself refuses it.
    }
  }

  #require(access: Access, caller: Caller, key: KeyText, rangeEnd: RangeEnd): void {
    if (caller.authRevision === 0) throw etcdError('UserEmpty');
    if (caller.authRevision < this.#store.revision) throw etcdError('AuthOldRevision');
    const user = this.#store.user(caller.username);
    if (user === undefined) throw etcdError('PermissionDenied');
    if (user.isAdmin || user.permissions[access].covers(key, rangeEnd)) return;
    throw etcdError('PermissionDenied');
  }
}
