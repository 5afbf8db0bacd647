import type { Permission } from '../../proto/gen/authpb/auth.js';
import type { AuthStore } from '../auth/auth-store.js';
import type { AuthKind, RequestOf, ResultOf, RevisionResult } from './requests.js';

export interface AuthHandlersOptions {
  readonly auth: AuthStore;
  /** Where the key store stands, for the headers. */
  readonly atRevision: () => RevisionResult;
  /** Index of the log before the entry that is being applied: the number in its simple token. */
  readonly indexBefore: () => number;
}

export type AuthHandlers = {
  readonly [Kind in AuthKind]: (request: RequestOf<Kind>) => ResultOf<Kind>;
};

/** Carries out committed requests on the auth store (reference: semantics 7.2). */
export function authHandlers({ auth, atRevision, indexBefore }: AuthHandlersOptions): AuthHandlers {
  const change = (operation: () => void): RevisionResult => {
    operation();
    return atRevision();
  };
  return {
    authEnable: () => change(() => auth.enable()),
    authDisable: () => change(() => auth.disable()),
    authStatus: () => ({
      ...atRevision(),
      enabled: auth.enabled,
      authRevision: auth.revision,
    }),
    authenticate: (request) => ({
      ...atRevision(),
      token: auth.authenticate(request, indexBefore()),
    }),
    authUserAdd: (request) => change(() => auth.addUser(request)),
    authUserDelete: ({ name }) => change(() => auth.deleteUser(name)),
    authUserChangePassword: (request) => change(() => auth.changePassword(request)),
    authUserGrantRole: ({ user, role }) => change(() => auth.grantRole(user, role)),
    authUserRevokeRole: ({ name, role }) => change(() => auth.revokeRole(name, role)),
    authUserGet: ({ name }) => ({ ...atRevision(), roles: [...auth.userRoles(name)] }),
    authUserList: () => ({ ...atRevision(), users: auth.userNames() }),
    authRoleAdd: ({ name }) => change(() => auth.addRole(name)),
    authRoleDelete: ({ role }) => change(() => auth.deleteRole(role)),
    authRoleGrantPermission: (request) => change(() => auth.grantPermission(request)),
    authRoleRevokePermission: (request) => change(() => auth.revokePermission(request)),
    authRoleGet: ({ role }) => {
      const permissions: Permission[] = [...auth.rolePermissions(role)];
      return { ...atRevision(), permissions };
    },
    authRoleList: () => ({ ...atRevision(), roles: auth.roleNames() }),
  };
}
