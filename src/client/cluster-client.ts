import type {
  MemberAddRequest,
  MemberAddResponse,
  MemberListResponse,
  MemberPromoteResponse,
  MemberRemoveResponse,
  MemberUpdateRequest,
  MemberUpdateResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import type { Caller, CallOptions } from './caller.js';

const { cluster } = SERVICES;

/** etcdserverpb.Cluster. */
export class ClusterClient {
  private readonly caller: Caller;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  memberAdd(request: Partial<MemberAddRequest>, options?: CallOptions): Promise<MemberAddResponse> {
    return this.caller.call(cluster.memberAdd, request, options);
  }

  memberRemove(id: bigint, options?: CallOptions): Promise<MemberRemoveResponse> {
    return this.caller.call(cluster.memberRemove, { ID: id }, options);
  }

  memberUpdate(
    request: Partial<MemberUpdateRequest>,
    options?: CallOptions,
  ): Promise<MemberUpdateResponse> {
    return this.caller.call(cluster.memberUpdate, request, options);
  }

  memberPromote(id: bigint, options?: CallOptions): Promise<MemberPromoteResponse> {
    return this.caller.call(cluster.memberPromote, { ID: id }, options);
  }

  /** The members, as the leader's quorum knows them unless `linearizable` is false. */
  memberList(linearizable = true, options?: CallOptions): Promise<MemberListResponse> {
    return this.caller.call(cluster.memberList, { linearizable }, options);
  }
}
