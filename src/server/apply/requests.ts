import {
  type AlarmMember,
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  LeaseCheckpointRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  TxnRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import {
  ClusterMemberAttrSetRequest,
  ClusterVersionSetRequest,
} from '../../proto/gen/membershippb/membership.js';
import type { InternalRequestKind } from '../../proto/hot/internal-request.js';
import type { DeleteRangeResult } from './kv/delete-range.js';
import type { PutResult } from './kv/put.js';
import type { TxnResult } from './kv/txn.js';

/** Where the store stands after a request that changes no key. */
export interface RevisionResult {
  readonly revision: number;
}

/** Every kind of request that this server puts through the log, with what applying it gives. */
export interface AppliedRequests {
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
}

export type AppliedKind = keyof AppliedRequests;
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
};

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
