import type { Permission } from '../../proto/gen/authpb/auth.js';
import type {
  AlarmMember,
  DeleteRangeResponse,
  DowngradeInfo,
  HashKVResponse,
  Member,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  ResponseOp,
  StatusResponse,
  TxnResponse,
} from '../../proto/gen/etcdserverpb/rpc.js';
import type { Event, KeyValue } from '../../proto/gen/mvccpb/kv.js';
import type { Rule } from '../auth/access.js';
import { JsonObject } from './go-json.js';
import { hexId } from './go-text.js';

/*
 * The messages as Go's encoding/json writes etcd's structs: proto field names, field order, zero
 * values left out, enums as numbers (reference: cli 3.2).
 */

/** A header's members, for objects that contain them directly. */
export function addHeader(object: JsonObject, header: ResponseHeader | undefined): JsonObject {
  if (header === undefined) {
    return object;
  }
  return object
    .number('cluster_id', header.clusterId)
    .number('member_id', header.memberId)
    .number('revision', header.revision)
    .number('raft_term', header.raftTerm);
}

export function headerJson(header: ResponseHeader | undefined): string {
  return addHeader(new JsonObject(), header).toString();
}

/** A header under `--hex`: both ids always there, as strings. */
export function hexHeaderJson(header: ResponseHeader): string {
  return new JsonObject()
    .requiredString('cluster_id', hexId(header.clusterId))
    .requiredString('member_id', hexId(header.memberId))
    .number('revision', header.revision)
    .number('raft_term', header.raftTerm)
    .toString();
}

/** A response object that begins with its header. */
export function withHeader(response: { readonly header: ResponseHeader | undefined }): JsonObject {
  return new JsonObject().message('header', response.header, headerJson);
}

function keyValueJson(keyValue: KeyValue): string {
  return new JsonObject()
    .bytes('key', keyValue.key)
    .number('create_revision', keyValue.createRevision)
    .number('mod_revision', keyValue.modRevision)
    .number('version', keyValue.version)
    .bytes('value', keyValue.value)
    .number('lease', keyValue.lease)
    .toString();
}

export function eventJson(event: Event): string {
  return new JsonObject()
    .number('type', event.type)
    .message('kv', event.kv, keyValueJson)
    .message('prev_kv', event.prevKv, keyValueJson)
    .toString();
}

export function rangeJson(response: RangeResponse): string {
  return withHeader(response)
    .list('kvs', response.kvs, keyValueJson)
    .boolean('more', response.more)
    .number('count', response.count)
    .toString();
}

export function putJson(response: PutResponse): string {
  return withHeader(response).message('prev_kv', response.prevKv, keyValueJson).toString();
}

export function deleteRangeJson(response: DeleteRangeResponse): string {
  return withHeader(response)
    .number('deleted', response.deleted)
    .list('prev_kvs', response.prevKvs, keyValueJson)
    .toString();
}

export function txnJson(response: TxnResponse): string {
  return withHeader(response)
    .boolean('succeeded', response.succeeded)
    .list('responses', response.responses, operationJson)
    .toString();
}

function operationJson({ response }: ResponseOp): string {
  return new JsonObject().raw('Response', operationBody(response)).toString();
}

function operationBody(response: ResponseOp['response']): string {
  switch (response?.$case) {
    case 'responseRange':
      return `{"response_range":${rangeJson(response.value)}}`;
    case 'responsePut':
      return `{"response_put":${putJson(response.value)}}`;
    case 'responseDeleteRange':
      return `{"response_delete_range":${deleteRangeJson(response.value)}}`;
    case 'responseTxn':
      return `{"response_txn":${txnJson(response.value)}}`;
    default:
      return 'null';
  }
}

export function memberJson(member: Member): string {
  return memberFields(new JsonObject().number('ID', member.ID), member);
}

/** A member under `--hex`. */
export function hexMemberJson(member: Member): string {
  return memberFields(new JsonObject().requiredString('ID', hexId(member.ID)), member);
}

function memberFields(object: JsonObject, member: Member): string {
  return object
    .string('name', member.name)
    .strings('peerURLs', member.peerURLs)
    .strings('clientURLs', member.clientURLs)
    .boolean('isLearner', member.isLearner)
    .toString();
}

export function statusJson(status: StatusResponse): string {
  return withHeader(status)
    .string('version', status.version)
    .number('dbSize', status.dbSize)
    .number('leader', status.leader)
    .number('raftIndex', status.raftIndex)
    .number('raftTerm', status.raftTerm)
    .number('raftAppliedIndex', status.raftAppliedIndex)
    .strings('errors', status.errors)
    .number('dbSizeInUse', status.dbSizeInUse)
    .boolean('isLearner', status.isLearner)
    .string('storageVersion', status.storageVersion)
    .number('dbSizeQuota', status.dbSizeQuota)
    .message('downgradeInfo', status.downgradeInfo, downgradeInfoJson)
    .toString();
}

function downgradeInfoJson(info: DowngradeInfo): string {
  return new JsonObject()
    .boolean('enabled', info.enabled)
    .string('targetVersion', info.targetVersion)
    .toString();
}

export function hashKvJson(response: HashKVResponse): string {
  return withHeader(response)
    .number('hash', response.hash)
    .number('compact_revision', response.compactRevision)
    .number('hash_revision', response.hashRevision)
    .toString();
}

export function alarmJson(alarm: AlarmMember): string {
  return new JsonObject()
    .number('memberID', alarm.memberID)
    .number('alarm', alarm.alarm)
    .toString();
}

export function permissionJson(permission: Permission): string {
  return new JsonObject()
    .number('permType', permission.permType)
    .bytes('key', permission.key)
    .bytes('range_end', permission.rangeEnd)
    .toString();
}

/** A permission with the role that has it, in our own `auth can-i`. */
export function ruleJson({ role, permission }: Rule): string {
  return new JsonObject()
    .requiredString('role', role)
    .raw('permission', permissionJson(permission))
    .toString();
}
