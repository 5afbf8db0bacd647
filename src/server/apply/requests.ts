import type { Permission } from '../../proto/gen/authpb/auth.js';
import { InternalAuthenticateRequest } from '../../proto/gen/etcdserverpb/raft_internal.js';
import {
  type AlarmMember,
  AlarmRequest,
  AuthDisableRequest,
  AuthEnableRequest,
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleListRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGrantRoleRequest,
  AuthUserListRequest,
  AuthUserRevokeRoleRequest,
  CompactionRequest,
  DeleteRangeRequest,
  DowngradeVersionTestRequest,
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  TxnRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
  DowngradeInfoSetRequest,
} from '../../proto/gen/membershippb/membership.js';
import type { InternalRequestKind } from '../../proto/hot/internal-request.js';
import type { DeleteRangeResult } from './kv/delete-range.js';
import type { PutResult } from './kv/put.js';
import type { TxnResult } from './kv/txn.js';

/** Where the store stands after a request that changes no key. */
export interface RevisionResult {
  readonly revision: number;
}

/** The requests to the auth store, with what applying them gives. */
export interface AuthRequests {
  authEnable: { request: AuthEnableRequest; result: RevisionResult };
  authDisable: { request: AuthDisableRequest; result: RevisionResult };
  authStatus: {
    request: AuthStatusRequest;
    result: RevisionResult & { readonly enabled: boolean; readonly authRevision: number };
  };
  authenticate: {
    request: InternalAuthenticateRequest;
    result: RevisionResult & { readonly token: string };
  };
  authUserAdd: { request: AuthUserAddRequest; result: RevisionResult };
  authUserDelete: { request: AuthUserDeleteRequest; result: RevisionResult };
  authUserChangePassword: { request: AuthUserChangePasswordRequest; result: RevisionResult };
  authUserGrantRole: { request: AuthUserGrantRoleRequest; result: RevisionResult };
  authUserRevokeRole: { request: AuthUserRevokeRoleRequest; result: RevisionResult };
  authUserGet: {
    request: AuthUserGetRequest;
    result: RevisionResult & { readonly roles: string[] };
  };
  authUserList: {
    request: AuthUserListRequest;
    result: RevisionResult & { readonly users: string[] };
  };
  authRoleAdd: { request: AuthRoleAddRequest; result: RevisionResult };
  authRoleDelete: { request: AuthRoleDeleteRequest; result: RevisionResult };
  authRoleGrantPermission: { request: AuthRoleGrantPermissionRequest; result: RevisionResult };
  authRoleRevokePermission: { request: AuthRoleRevokePermissionRequest; result: RevisionResult };
  authRoleGet: {
    request: AuthRoleGetRequest;
    result: RevisionResult & { readonly permissions: Permission[] };
  };
  authRoleList: {
    request: AuthRoleListRequest;
    result: RevisionResult & { readonly roles: string[] };
  };
}

/** Every kind of request that this server puts through the log, with what applying it gives. */
export interface AppliedRequests extends AuthRequests {
  put: { request: PutRequest; result: PutResult };
  deleteRange: { request: DeleteRangeRequest; result: DeleteRangeResult };
  txn: { request: TxnRequest; result: TxnResult };
  compaction: {
    request: CompactionRequest;
    result: RevisionResult & {
      /** Resolves when the deletion is finished and committed. */
      readonly finished: Promise<void>;
    };
  };
  leaseGrant: {
    request: Pick<LeaseGrantRequest, 'ID' | 'TTL'>;
    result: RevisionResult & { readonly ttlSeconds: number };
  };
  leaseRevoke: { request: Pick<LeaseRevokeRequest, 'ID'>; result: RevisionResult };
  leaseCheckpoint: { request: LeaseCheckpointRequest; result: RevisionResult };
  alarm: {
    request: AlarmRequest;
    result: RevisionResult & { readonly alarms: readonly AlarmMember[] };
  };
  clusterVersionSet: { request: ClusterVersionSetRequest; result: undefined };
  clusterMemberAttrSet: { request: ClusterMemberAttrSetRequest; result: undefined };
  downgradeInfoSet: { request: DowngradeInfoSetRequest; result: undefined };
  /** Changes nothing; etcd's tests write it to logs that older releases must refuse. */
  downgradeVersionTest: { request: DowngradeVersionTestRequest; result: undefined };
}

export type AppliedKind = keyof AppliedRequests;
export type AuthKind = keyof AuthRequests;
export type RequestOf<Kind extends AppliedKind> = AppliedRequests[Kind]['request'];
export type ResultOf<Kind extends AppliedKind> = AppliedRequests[Kind]['result'];

const DECODERS: { readonly [Kind in AppliedKind]: (bytes: Buffer) => RequestOf<Kind> } = {
  put: (bytes) => PutRequest.decode(bytes),
  deleteRange: (bytes) => DeleteRangeRequest.decode(bytes),
  txn: (bytes) => TxnRequest.decode(bytes),
  compaction: (bytes) => CompactionRequest.decode(bytes),
  leaseGrant: (bytes) => LeaseGrantRequest.decode(bytes),
  leaseRevoke: (bytes) => LeaseRevokeRequest.decode(bytes),
  leaseCheckpoint: (bytes) => LeaseCheckpointRequest.decode(bytes),
  alarm: (bytes) => AlarmRequest.decode(bytes),
  clusterVersionSet: (bytes) => ClusterVersionSetRequest.decode(bytes),
  clusterMemberAttrSet: (bytes) => ClusterMemberAttrSetRequest.decode(bytes),
  downgradeInfoSet: (bytes) => DowngradeInfoSetRequest.decode(bytes),
  downgradeVersionTest: (bytes) => DowngradeVersionTestRequest.decode(bytes),
  authEnable: (bytes) => AuthEnableRequest.decode(bytes),
  authDisable: (bytes) => AuthDisableRequest.decode(bytes),
  authStatus: (bytes) => AuthStatusRequest.decode(bytes),
  authenticate: (bytes) => InternalAuthenticateRequest.decode(bytes),
  authUserAdd: (bytes) => AuthUserAddRequest.decode(bytes),
  authUserDelete: (bytes) => AuthUserDeleteRequest.decode(bytes),
  authUserChangePassword: (bytes) => AuthUserChangePasswordRequest.decode(bytes),
  authUserGrantRole: (bytes) => AuthUserGrantRoleRequest.decode(bytes),
  authUserRevokeRole: (bytes) => AuthUserRevokeRoleRequest.decode(bytes),
  authUserGet: (bytes) => AuthUserGetRequest.decode(bytes),
  authUserList: (bytes) => AuthUserListRequest.decode(bytes),
  authRoleAdd: (bytes) => AuthRoleAddRequest.decode(bytes),
  authRoleDelete: (bytes) => AuthRoleDeleteRequest.decode(bytes),
  authRoleGrantPermission: (bytes) => AuthRoleGrantPermissionRequest.decode(bytes),
  authRoleRevokePermission: (bytes) => AuthRoleRevokePermissionRequest.decode(bytes),
  authRoleGet: (bytes) => AuthRoleGetRequest.decode(bytes),
  authRoleList: (bytes) => AuthRoleListRequest.decode(bytes),
};

/** Requests that change nothing: without anybody waiting for the answer they are passed over. */
export const ANSWERS_ONLY: ReadonlySet<AppliedKind> = new Set([
  'authStatus',
  'authUserGet',
  'authRoleGet',
] as const);

export function isAppliedKind(kind: InternalRequestKind | undefined): kind is AppliedKind {
  return kind !== undefined && kind in DECODERS;
}

/** @throws DecodeError */
export function decodeApplied<Kind extends AppliedKind>(
  kind: Kind,
  bytes: Buffer,
): RequestOf<Kind> {
  return DECODERS[kind](bytes);
}
