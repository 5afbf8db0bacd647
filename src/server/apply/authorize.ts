import type { AuthStore } from '../auth/auth-store.js';
import type { Authorizer } from '../auth/authorizer.js';
import type { Caller } from '../auth/caller.js';
import type { AppliedKind, RequestOf } from './requests.js';

/** Requests for administrators, whatever they ask for (reference: semantics 4). */
const FOR_ADMINS: ReadonlySet<AppliedKind> = new Set([
  'authEnable',
  'authDisable',
  'authUserAdd',
  'authUserDelete',
  'authUserChangePassword',
  'authUserGrantRole',
  'authUserRevokeRole',
  'authUserList',
  'authRoleAdd',
  'authRoleDelete',
  'authRoleGrantPermission',
  'authRoleRevokePermission',
  'authRoleList',
] as const);

/**
 * Checks a committed request against the rights of whoever proposed it, as the header of its entry
 * names them. Only what the members of a cluster have always checked here may be checked here: they
 * must all come to the same end. The rest is checked before the proposal.
 * @throws EtcdError UserEmpty, UserNotFound, AuthOldRevision, PermissionDenied
 */
export function authorizeApplied<Kind extends AppliedKind>(
  authorizer: Authorizer,
  auth: AuthStore,
  kind: Kind,
  request: RequestOf<Kind>,
  caller: Caller,
): void {
  if (FOR_ADMINS.has(kind)) {
    authorizer.requireAdmin(caller);
    return;
  }
  switch (kind) {
    case 'put':
      authorizer.requirePut(caller, request as RequestOf<'put'>);
      return;
    case 'deleteRange':
      authorizer.requireDelete(caller, request as RequestOf<'deleteRange'>);
      return;
    case 'txn':
      authorizer.requireTxn(caller, request as RequestOf<'txn'>);
      return;
    case 'leaseRevoke':
      authorizer.requireLeaseWrite(caller, (request as RequestOf<'leaseRevoke'>).ID);
      return;
    case 'authUserGet':
      requireAdminUnless(
        authorizer,
        caller,
        () => (request as RequestOf<'authUserGet'>).name === caller.username,
      );
      return;
    case 'authRoleGet':
      requireAdminUnless(authorizer, caller, () =>
        auth.hasRole(caller.username, (request as RequestOf<'authRoleGet'>).role),
      );
      return;
    default:
    // Nothing else is checked at this point.
  }
}

/** Everybody may look at themselves; the error is that of the check for administrators. */
function requireAdminUnless(authorizer: Authorizer, caller: Caller, isOwn: () => boolean): void {
  try {
    authorizer.requireAdmin(caller);
  } catch (error) {
    if (!isOwn()) throw error;
  }
}
