import type { Permission } from '../proto/gen/authpb/auth.js';
import type {
  AuthDisableResponse,
  AuthEnableResponse,
  AuthRoleAddResponse,
  AuthRoleDeleteResponse,
  AuthRoleGetResponse,
  AuthRoleGrantPermissionResponse,
  AuthRoleListResponse,
  AuthRoleRevokePermissionRequest,
  AuthRoleRevokePermissionResponse,
  AuthStatusResponse,
  AuthUserAddRequest,
  AuthUserAddResponse,
  AuthUserChangePasswordResponse,
  AuthUserDeleteResponse,
  AuthUserGetResponse,
  AuthUserGrantRoleResponse,
  AuthUserListResponse,
  AuthUserRevokeRoleResponse,
} from '../proto/gen/etcdserverpb/rpc.js';
import { SERVICES } from '../proto/services.js';
import type { Caller, CallOptions } from './caller.js';

const { auth } = SERVICES;

/** etcdserverpb.Auth, save Authenticate: logging in is {@link Caller.authenticate}. */
export class AuthClient {
  private readonly caller: Caller;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  enable(options?: CallOptions): Promise<AuthEnableResponse> {
    return this.caller.call(auth.authEnable, {}, options);
  }

  disable(options?: CallOptions): Promise<AuthDisableResponse> {
    return this.caller.call(auth.authDisable, {}, options);
  }

  status(options?: CallOptions): Promise<AuthStatusResponse> {
    return this.caller.call(auth.authStatus, {}, options);
  }

  userAdd(
    request: Partial<AuthUserAddRequest>,
    options?: CallOptions,
  ): Promise<AuthUserAddResponse> {
    return this.caller.call(auth.userAdd, request, options);
  }

  userGet(name: string, options?: CallOptions): Promise<AuthUserGetResponse> {
    return this.caller.call(auth.userGet, { name }, options);
  }

  userList(options?: CallOptions): Promise<AuthUserListResponse> {
    return this.caller.call(auth.userList, {}, options);
  }

  userDelete(name: string, options?: CallOptions): Promise<AuthUserDeleteResponse> {
    return this.caller.call(auth.userDelete, { name }, options);
  }

  userChangePassword(
    name: string,
    password: string,
    options?: CallOptions,
  ): Promise<AuthUserChangePasswordResponse> {
    return this.caller.call(auth.userChangePassword, { name, password }, options);
  }

  userGrantRole(
    user: string,
    role: string,
    options?: CallOptions,
  ): Promise<AuthUserGrantRoleResponse> {
    return this.caller.call(auth.userGrantRole, { user, role }, options);
  }

  userRevokeRole(
    name: string,
    role: string,
    options?: CallOptions,
  ): Promise<AuthUserRevokeRoleResponse> {
    return this.caller.call(auth.userRevokeRole, { name, role }, options);
  }

  roleAdd(name: string, options?: CallOptions): Promise<AuthRoleAddResponse> {
    return this.caller.call(auth.roleAdd, { name }, options);
  }

  roleGet(role: string, options?: CallOptions): Promise<AuthRoleGetResponse> {
    return this.caller.call(auth.roleGet, { role }, options);
  }

  roleList(options?: CallOptions): Promise<AuthRoleListResponse> {
    return this.caller.call(auth.roleList, {}, options);
  }

  roleDelete(role: string, options?: CallOptions): Promise<AuthRoleDeleteResponse> {
    return this.caller.call(auth.roleDelete, { role }, options);
  }

  roleGrantPermission(
    name: string,
    perm: Permission,
    options?: CallOptions,
  ): Promise<AuthRoleGrantPermissionResponse> {
    return this.caller.call(auth.roleGrantPermission, { name, perm }, options);
  }

  roleRevokePermission(
    request: Partial<AuthRoleRevokePermissionRequest>,
    options?: CallOptions,
  ): Promise<AuthRoleRevokePermissionResponse> {
    return this.caller.call(auth.roleRevokePermission, request, options);
  }
}
