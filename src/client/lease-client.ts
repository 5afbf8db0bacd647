import type {
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveResponse,
  LeaseLeasesResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import type { Caller, CallOptions } from './caller.js';
import { keepAliveOnce, LeaseKeeper } from './lease-keep-alive.js';

const { lease } = SERVICES;

/** etcdserverpb.Lease. Ids are signed 64-bit. */
export class LeaseClient {
  private readonly caller: Caller;
  private readonly keeper: LeaseKeeper;

  /** `firstDeadlineMillis`: how long a lease is kept without a first answer. */
  constructor(caller: Caller, firstDeadlineMillis: number) {
    this.caller = caller;
    this.keeper = new LeaseKeeper(caller, firstDeadlineMillis);
  }

  /** `TTL` in seconds; an `ID` of 0 lets the server choose. */
  grant(request: Partial<LeaseGrantRequest>, options?: CallOptions): Promise<LeaseGrantResponse> {
    return this.caller.call(lease.leaseGrant, request, options);
  }

  revoke(id: bigint, options?: CallOptions): Promise<LeaseRevokeResponse> {
    return this.caller.call(lease.leaseRevoke, { ID: id }, options);
  }

  timeToLive(
    request: Partial<LeaseTimeToLiveRequest>,
    options?: CallOptions,
  ): Promise<LeaseTimeToLiveResponse> {
    return this.caller.call(lease.leaseTimeToLive, request, options);
  }

  list(options?: CallOptions): Promise<LeaseLeasesResponse> {
    return this.caller.call(lease.leaseLeases, {}, options);
  }

  /**
   * Renews a lease once.
   *
   * @throws EtcdError LeaseNotFound if it does not exist.
   */
  keepAliveOnce(id: bigint, options?: CallOptions): Promise<LeaseKeepAliveResponse> {
    return keepAliveOnce(this.caller, id, options);
  }

  /**
   * Renews a lease about every third of its TTL until the iteration is left; yields every answer.
   * Ends when the lease is gone.
   */
  keepAlive(id: bigint): AsyncIterableIterator<LeaseKeepAliveResponse> {
    return this.keeper.keep(id);
  }

  /** Stops renewing. */
  close(): void {
    this.keeper.close();
  }
}
