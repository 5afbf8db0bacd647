import { type EtcdError, etcdError } from '../../proto/errors.js';
import { SERVICES } from '../../proto/services.js';

const { kv, lease, cluster, maintenance, auth } = SERVICES;

/** Methods that change something and do so by an entry in the log. */
const LOGGED: ReadonlySet<string> = new Set(
  [
    kv.put,
    kv.deleteRange,
    kv.txn,
    kv.compact,
    lease.leaseGrant,
    lease.leaseRevoke,
    cluster.memberAdd,
    cluster.memberRemove,
    cluster.memberUpdate,
    cluster.memberPromote,
    maintenance.alarm,
    auth.authEnable,
    auth.authDisable,
    auth.userAdd,
    auth.userDelete,
    auth.userChangePassword,
    auth.userGrantRole,
    auth.userRevokeRole,
    auth.roleAdd,
    auth.roleDelete,
    auth.roleGrantPermission,
    auth.roleRevokePermission,
  ].map(({ path }) => path),
);

/**
 * What a client is told whose deadline passes on the server (reference: raft-and-peers B7, Proposal).
 *
 * Trap: a client that hears DeadlineExceeded before its own deadline has passed sends the request
 * again, so that a write which is in the log already would be made twice.
 */
export function lateError(path: string): EtcdError {
  return etcdError(LOGGED.has(path) ? 'Timeout' : 'ContextDeadlineExceeded');
}
