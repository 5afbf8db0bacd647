import * as rpc from './gen/etcdserverpb/rpc.js';
import * as healthpb from './gen/health/v1/health.js';
import * as electionpb from './gen/v3electionpb/election.js';
import * as lockpb from './gen/v3lockpb/lock.js';
import type { MessageCodec } from './wire/message.js';

/** Who sends a stream: nobody, the server, or both sides. No method has a stream of the client only. */
export type RpcKind = 'unary' | 'serverStream' | 'bidiStream';

/** One RPC method as the wire knows it. */
export interface RpcDefinition<Request, Response, Kind extends RpcKind = RpcKind> {
  /** `/<package>.<Service>/<Method>`. */
  readonly path: string;
  readonly kind: Kind;
  readonly request: MessageCodec<Request>;
  readonly response: MessageCodec<Response>;
}

function unary<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
): RpcDefinition<Request, Response, 'unary'> {
  return { path, kind: 'unary', request, response };
}

function serverStream<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
): RpcDefinition<Request, Response, 'serverStream'> {
  return { path, kind: 'serverStream', request, response };
}

function bidiStream<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
): RpcDefinition<Request, Response, 'bidiStream'> {
  return { path, kind: 'bidiStream', request, response };
}

/** Every method of every service on the client listener (reference: api 1). */
export const SERVICES = {
  /** etcdserverpb.KV */
  kv: {
    range: unary('/etcdserverpb.KV/Range', rpc.RangeRequest, rpc.RangeResponse),
    rangeStream: serverStream(
      '/etcdserverpb.KV/RangeStream',
      rpc.RangeRequest,
      rpc.RangeStreamResponse,
    ),
    put: unary('/etcdserverpb.KV/Put', rpc.PutRequest, rpc.PutResponse),
    deleteRange: unary(
      '/etcdserverpb.KV/DeleteRange',
      rpc.DeleteRangeRequest,
      rpc.DeleteRangeResponse,
    ),
    txn: unary('/etcdserverpb.KV/Txn', rpc.TxnRequest, rpc.TxnResponse),
    compact: unary('/etcdserverpb.KV/Compact', rpc.CompactionRequest, rpc.CompactionResponse),
  },
  /** etcdserverpb.Watch */
  watch: {
    watch: bidiStream('/etcdserverpb.Watch/Watch', rpc.WatchRequest, rpc.WatchResponse),
  },
  /** etcdserverpb.Lease */
  lease: {
    leaseGrant: unary(
      '/etcdserverpb.Lease/LeaseGrant',
      rpc.LeaseGrantRequest,
      rpc.LeaseGrantResponse,
    ),
    leaseRevoke: unary(
      '/etcdserverpb.Lease/LeaseRevoke',
      rpc.LeaseRevokeRequest,
      rpc.LeaseRevokeResponse,
    ),
    leaseKeepAlive: bidiStream(
      '/etcdserverpb.Lease/LeaseKeepAlive',
      rpc.LeaseKeepAliveRequest,
      rpc.LeaseKeepAliveResponse,
    ),
    leaseTimeToLive: unary(
      '/etcdserverpb.Lease/LeaseTimeToLive',
      rpc.LeaseTimeToLiveRequest,
      rpc.LeaseTimeToLiveResponse,
    ),
    leaseLeases: unary(
      '/etcdserverpb.Lease/LeaseLeases',
      rpc.LeaseLeasesRequest,
      rpc.LeaseLeasesResponse,
    ),
  },
  /** etcdserverpb.Cluster */
  cluster: {
    memberAdd: unary(
      '/etcdserverpb.Cluster/MemberAdd',
      rpc.MemberAddRequest,
      rpc.MemberAddResponse,
    ),
    memberRemove: unary(
      '/etcdserverpb.Cluster/MemberRemove',
      rpc.MemberRemoveRequest,
      rpc.MemberRemoveResponse,
    ),
    memberUpdate: unary(
      '/etcdserverpb.Cluster/MemberUpdate',
      rpc.MemberUpdateRequest,
      rpc.MemberUpdateResponse,
    ),
    memberList: unary(
      '/etcdserverpb.Cluster/MemberList',
      rpc.MemberListRequest,
      rpc.MemberListResponse,
    ),
    memberPromote: unary(
      '/etcdserverpb.Cluster/MemberPromote',
      rpc.MemberPromoteRequest,
      rpc.MemberPromoteResponse,
    ),
  },
  /** etcdserverpb.Maintenance */
  maintenance: {
    alarm: unary('/etcdserverpb.Maintenance/Alarm', rpc.AlarmRequest, rpc.AlarmResponse),
    status: unary('/etcdserverpb.Maintenance/Status', rpc.StatusRequest, rpc.StatusResponse),
    defragment: unary(
      '/etcdserverpb.Maintenance/Defragment',
      rpc.DefragmentRequest,
      rpc.DefragmentResponse,
    ),
    hash: unary('/etcdserverpb.Maintenance/Hash', rpc.HashRequest, rpc.HashResponse),
    hashKV: unary('/etcdserverpb.Maintenance/HashKV', rpc.HashKVRequest, rpc.HashKVResponse),
    snapshot: serverStream(
      '/etcdserverpb.Maintenance/Snapshot',
      rpc.SnapshotRequest,
      rpc.SnapshotResponse,
    ),
    moveLeader: unary(
      '/etcdserverpb.Maintenance/MoveLeader',
      rpc.MoveLeaderRequest,
      rpc.MoveLeaderResponse,
    ),
    downgrade: unary(
      '/etcdserverpb.Maintenance/Downgrade',
      rpc.DowngradeRequest,
      rpc.DowngradeResponse,
    ),
  },
  /** etcdserverpb.Auth */
  auth: {
    authEnable: unary(
      '/etcdserverpb.Auth/AuthEnable',
      rpc.AuthEnableRequest,
      rpc.AuthEnableResponse,
    ),
    authDisable: unary(
      '/etcdserverpb.Auth/AuthDisable',
      rpc.AuthDisableRequest,
      rpc.AuthDisableResponse,
    ),
    authStatus: unary(
      '/etcdserverpb.Auth/AuthStatus',
      rpc.AuthStatusRequest,
      rpc.AuthStatusResponse,
    ),
    authenticate: unary(
      '/etcdserverpb.Auth/Authenticate',
      rpc.AuthenticateRequest,
      rpc.AuthenticateResponse,
    ),
    userAdd: unary('/etcdserverpb.Auth/UserAdd', rpc.AuthUserAddRequest, rpc.AuthUserAddResponse),
    userGet: unary('/etcdserverpb.Auth/UserGet', rpc.AuthUserGetRequest, rpc.AuthUserGetResponse),
    userList: unary(
      '/etcdserverpb.Auth/UserList',
      rpc.AuthUserListRequest,
      rpc.AuthUserListResponse,
    ),
    userDelete: unary(
      '/etcdserverpb.Auth/UserDelete',
      rpc.AuthUserDeleteRequest,
      rpc.AuthUserDeleteResponse,
    ),
    userChangePassword: unary(
      '/etcdserverpb.Auth/UserChangePassword',
      rpc.AuthUserChangePasswordRequest,
      rpc.AuthUserChangePasswordResponse,
    ),
    userGrantRole: unary(
      '/etcdserverpb.Auth/UserGrantRole',
      rpc.AuthUserGrantRoleRequest,
      rpc.AuthUserGrantRoleResponse,
    ),
    userRevokeRole: unary(
      '/etcdserverpb.Auth/UserRevokeRole',
      rpc.AuthUserRevokeRoleRequest,
      rpc.AuthUserRevokeRoleResponse,
    ),
    roleAdd: unary('/etcdserverpb.Auth/RoleAdd', rpc.AuthRoleAddRequest, rpc.AuthRoleAddResponse),
    roleGet: unary('/etcdserverpb.Auth/RoleGet', rpc.AuthRoleGetRequest, rpc.AuthRoleGetResponse),
    roleList: unary(
      '/etcdserverpb.Auth/RoleList',
      rpc.AuthRoleListRequest,
      rpc.AuthRoleListResponse,
    ),
    roleDelete: unary(
      '/etcdserverpb.Auth/RoleDelete',
      rpc.AuthRoleDeleteRequest,
      rpc.AuthRoleDeleteResponse,
    ),
    roleGrantPermission: unary(
      '/etcdserverpb.Auth/RoleGrantPermission',
      rpc.AuthRoleGrantPermissionRequest,
      rpc.AuthRoleGrantPermissionResponse,
    ),
    roleRevokePermission: unary(
      '/etcdserverpb.Auth/RoleRevokePermission',
      rpc.AuthRoleRevokePermissionRequest,
      rpc.AuthRoleRevokePermissionResponse,
    ),
  },
  /** v3lockpb.Lock */
  lock: {
    lock: unary('/v3lockpb.Lock/Lock', lockpb.LockRequest, lockpb.LockResponse),
    unlock: unary('/v3lockpb.Lock/Unlock', lockpb.UnlockRequest, lockpb.UnlockResponse),
  },
  /** v3electionpb.Election */
  election: {
    campaign: unary(
      '/v3electionpb.Election/Campaign',
      electionpb.CampaignRequest,
      electionpb.CampaignResponse,
    ),
    proclaim: unary(
      '/v3electionpb.Election/Proclaim',
      electionpb.ProclaimRequest,
      electionpb.ProclaimResponse,
    ),
    leader: unary(
      '/v3electionpb.Election/Leader',
      electionpb.LeaderRequest,
      electionpb.LeaderResponse,
    ),
    observe: serverStream(
      '/v3electionpb.Election/Observe',
      electionpb.LeaderRequest,
      electionpb.LeaderResponse,
    ),
    resign: unary(
      '/v3electionpb.Election/Resign',
      electionpb.ResignRequest,
      electionpb.ResignResponse,
    ),
  },
  /** grpc.health.v1.Health */
  health: {
    check: unary(
      '/grpc.health.v1.Health/Check',
      healthpb.HealthCheckRequest,
      healthpb.HealthCheckResponse,
    ),
    list: unary(
      '/grpc.health.v1.Health/List',
      healthpb.HealthListRequest,
      healthpb.HealthListResponse,
    ),
    watch: serverStream(
      '/grpc.health.v1.Health/Watch',
      healthpb.HealthCheckRequest,
      healthpb.HealthCheckResponse,
    ),
  },
} as const;

/** The same methods by path, for whoever looks a call up. */
export const METHODS_BY_PATH: ReadonlyMap<
  string,
  { readonly path: string; readonly kind: RpcKind }
> = new Map(
  Object.values(SERVICES)
    .flatMap((service): { readonly path: string; readonly kind: RpcKind }[] =>
      Object.values(service),
    )
    .map((method) => [method.path, method]),
);
