import { METHODS_BY_PATH, SERVICES } from '../../proto/services.js';
import {
  type AuditField,
  bytesField,
  choiceField,
  countField,
  flagField,
  idField,
  messageField,
  numberField,
  responseMembers,
  textField,
  textListField,
} from './field-scan.js';
import { revisionMember } from './response-revision.js';

const { kv, lease, cluster, maintenance, auth, lock, election, health } = SERVICES;

const KEY = bytesField(1, 'key');
const RANGE_END = bytesField(2, 'range_end');
const RANGE = [KEY, RANGE_END, numberField(4, 'at_revision')];
const LEASE_ID = [idField(1, 'lease')];
const MEMBER_ID = [idField(1, 'member')];
const TARGET_USER = [textField(1, 'target_user')];
const TARGET_ROLE = [textField(1, 'target_role')];
const USER_AND_ROLE = [textField(1, 'target_user'), textField(2, 'target_role')];
const PERMISSION = [
  choiceField(1, 'permission', ['READ', 'WRITE', 'READWRITE']),
  bytesField(2, 'key'),
  bytesField(3, 'range_end'),
];
const ELECTION = [bytesField(1, 'election')];
const LEADER_KEY = messageField(1, [
  bytesField(1, 'election'),
  bytesField(2, 'key'),
  idField(4, 'lease'),
]);

/**
 * What is told of the request of each method. Only what stands here can get out: values, passwords
 * and tokens do not. A method that is not here has nothing to tell, or (transactions, watches and
 * keep-alives) code of its own.
 */
export const REQUEST_FIELDS: ReadonlyMap<string, readonly AuditField[]> = new Map<
  string,
  readonly AuditField[]
>([
  [kv.range.path, RANGE],
  [kv.rangeStream.path, RANGE],
  [kv.put.path, [KEY, idField(3, 'lease')]],
  [kv.deleteRange.path, [KEY, RANGE_END]],
  [kv.compact.path, [countField(1, 'compact_revision')]],
  [lease.leaseGrant.path, [idField(2, 'lease'), countField(1, 'ttl_seconds')]],
  [lease.leaseRevoke.path, LEASE_ID],
  [lease.leaseTimeToLive.path, LEASE_ID],
  [cluster.memberAdd.path, [textListField(1, 'peer_urls'), flagField(2, 'is_learner')]],
  [cluster.memberRemove.path, MEMBER_ID],
  [cluster.memberPromote.path, MEMBER_ID],
  [cluster.memberUpdate.path, [...MEMBER_ID, textListField(2, 'peer_urls')]],
  [
    maintenance.alarm.path,
    [
      choiceField(1, 'action', ['GET', 'ACTIVATE', 'DEACTIVATE']),
      idField(2, 'member'),
      choiceField(3, 'alarm', ['NONE', 'NOSPACE', 'CORRUPT']),
    ],
  ],
  [maintenance.hashKV.path, [numberField(1, 'at_revision')]],
  [maintenance.moveLeader.path, MEMBER_ID],
  [
    maintenance.downgrade.path,
    [choiceField(1, 'action', ['VALIDATE', 'ENABLE', 'CANCEL']), textField(2, 'version')],
  ],
  [auth.authenticate.path, TARGET_USER],
  [auth.userAdd.path, [...TARGET_USER, messageField(3, [flagField(1, 'no_password')])]],
  [auth.userGet.path, TARGET_USER],
  [auth.userDelete.path, TARGET_USER],
  [auth.userChangePassword.path, TARGET_USER],
  [auth.userGrantRole.path, USER_AND_ROLE],
  [auth.userRevokeRole.path, USER_AND_ROLE],
  [auth.roleAdd.path, TARGET_ROLE],
  [auth.roleGet.path, TARGET_ROLE],
  [auth.roleDelete.path, TARGET_ROLE],
  [auth.roleGrantPermission.path, [...TARGET_ROLE, messageField(2, PERMISSION)]],
  [
    auth.roleRevokePermission.path,
    [...TARGET_ROLE, bytesField(2, 'key'), bytesField(3, 'range_end')],
  ],
  [lock.lock.path, [bytesField(1, 'lock'), idField(2, 'lease')]],
  [lock.unlock.path, [KEY]],
  [election.campaign.path, [...ELECTION, idField(2, 'lease')]],
  [election.proclaim.path, [LEADER_KEY]],
  [election.leader.path, ELECTION],
  [election.observe.path, ELECTION],
  [election.resign.path, [LEADER_KEY]],
  [health.check.path, [textField(1, 'service')]],
  [health.watch.path, [textField(1, 'service')]],
]);

/** The response header, the first field of all responses but those of the health service. */
const HEADER = messageField(1, [numberField(3, 'revision')]);
const ONLY_HEADER = [HEADER];

/** What is told of responses besides their header. */
const RESPONSE_FIELDS: ReadonlyMap<string, readonly AuditField[]> = new Map<
  string,
  readonly AuditField[]
>([
  [kv.rangeStream.path, [messageField(1, ONLY_HEADER)]],
  [kv.deleteRange.path, [HEADER, countField(2, 'deleted')]],
  [kv.txn.path, [HEADER, flagField(2, 'succeeded')]],
  [lease.leaseGrant.path, [HEADER, idField(2, 'granted_lease')]],
  [lock.lock.path, [HEADER, bytesField(2, 'key')]],
  [health.check.path, []],
  [health.list.path, []],
  [health.watch.path, []],
]);

/** Gives the members for a response of the method. */
export function responseReader(path: string): (response: Uint8Array) => string {
  const fields = RESPONSE_FIELDS.get(path);
  if (fields === undefined) return revisionMember;
  return (response) => responseMembers(response, fields);
}

/** Methods that change nothing and show what is stored. `Snapshot` shows all of it: it stays. */
const READS: ReadonlySet<string> = new Set([
  kv.range.path,
  kv.rangeStream.path,
  SERVICES.watch.watch.path,
  lease.leaseTimeToLive.path,
  lease.leaseLeases.path,
  cluster.memberList.path,
  maintenance.status.path,
  maintenance.hash.path,
  maintenance.hashKV.path,
  auth.authStatus.path,
  election.leader.path,
  election.observe.path,
  health.check.path,
  health.list.path,
  health.watch.path,
]);

/** Whether `--audit-log-reads=false` leaves calls of the method out; transactions are asked alone. */
export function isReadMethod(path: string): boolean {
  return READS.has(path);
}

/** The methods by the numbers that records give them. */
export const METHOD_PATHS: readonly string[] = [...METHODS_BY_PATH.keys()];

/** The number of a method in a record. */
export function methodNumber(path: string): number {
  const number = METHOD_PATHS.indexOf(path);
  if (number < 0) throw new Error(`no method ${path}`);
  return number;
}

/** `/etcdserverpb.KV/Put` -> `KV/Put`. */
export function shortMethod(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}
