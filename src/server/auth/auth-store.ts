import { etcdError } from '../../proto/errors.js';
import {
  type Permission,
  Permission_Type,
  type Role,
  type User,
} from '../../proto/gen/authpb/auth.js';
import type { InternalAuthenticateRequest } from '../../proto/gen/etcdserverpb/raft_internal.js';
import type {
  AuthRoleGrantPermissionRequest,
  AuthRoleRevokePermissionRequest,
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
} from '../../proto/gen/etcdserverpb/rpc.js';
import type { Backend } from '../../storage/backend/backend.js';
import { AuthRows } from './auth-rows.js';
import { AuthUser } from './auth-user.js';
import { ANONYMOUS, type Caller, ROOT } from './caller.js';
import { storedPassword } from './stored-password.js';
import type { TokenProvider } from './token-provider.js';
import { isGrantableRange, mergePermissions } from './user-permissions.js';

/** The revision of a store that was never changed. */
const FIRST_REVISION = 1;

/** What the role root allows, as RoleGet shows it. */
const ROOT_PERMISSION: Permission = {
  permType: Permission_Type.READWRITE,
  key: Buffer.alloc(0),
  rangeEnd: Buffer.of(0),
};

export interface AuthStoreOptions {
  readonly backend: Backend;
  readonly tokens: TokenProvider;
  /** Hashes at once a password that a log of 3.4 holds in plain text. */
  readonly hashPlainPassword: (username: string, password: string) => string;
}

/**
 * Users, roles and whether they count: the replicated state behind all permissions. Every change
 * comes from the log and gives the same rows on every member; the errors of an operation come in
 * etcd's order. Source: reference, semantics 7.1 and 7.2, api 17.
 */
export class AuthStore {
  readonly #options: AuthStoreOptions;
  readonly #rows: AuthRows;
  readonly #users = new Map<string, AuthUser>();
  readonly #roles = new Map<string, Role>();
  #enabled = false;
  #revision = 0;

  constructor(options: AuthStoreOptions) {
    this.#options = options;
    this.#rows = new AuthRows(options.backend);
  }

  /** Reads anew what the backend holds; a new one gets its first revision. */
  restore(): void {
    this.#enabled = this.#rows.isEnabled();
    this.#revision = this.#rows.revision();
    this.#users.clear();
    this.#roles.clear();
    for (const role of this.#rows.roles()) this.#roles.set(role.name.toString(), role);
    for (const user of this.#rows.users()) this.#setUser(user);
    if (this.#revision === 0) {
      this.#revision = FIRST_REVISION;
      this.#rows.putRevision(FIRST_REVISION);
    }
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Moves with every change that could change what somebody may do. */
  get revision(): number {
    return this.#revision;
  }

  /** Who this server itself is, where it acts of its own accord (reference: semantics 7.3). */
  rootCaller(): Caller {
    return this.#enabled ? { username: ROOT, authRevision: this.#revision } : ANONYMOUS;
  }

  user(name: string): AuthUser | undefined {
    return this.#users.get(name);
  }

  hasRole(username: string, role: string): boolean {
    return this.#users.get(username)?.row.roles.includes(role) === true;
  }

  /**
   * Turning on what is on does nothing. The revision stays.
   * @throws EtcdError RootUserNotExist, RootRoleNotExist
   */
  enable(): void {
    if (this.#enabled) return;
    const root = this.#users.get(ROOT);
    if (root === undefined) throw etcdError('RootUserNotExist');
    // Trap: the role itself need not exist.
    if (!root.isAdmin) throw etcdError('RootRoleNotExist');
    this.#enabled = true;
    this.#rows.putEnabled(true);
  }

  /** Turning off what is off does nothing. */
  disable(): void {
    if (!this.#enabled) return;
    this.#enabled = false;
    this.#rows.putEnabled(false);
    this.#options.tokens.clear();
    this.#bumpRevision();
  }

  /**
   * The token of a user whose password was checked before the request went through the log.
   * @param index of the log, before the entry of the log-in
   * @throws EtcdError AuthNotEnabled, AuthFailed, NoPasswordUser, VerifyOnly
   */
  authenticate({ name, simpleToken }: InternalAuthenticateRequest, index: number): string {
    if (!this.#enabled) throw etcdError('AuthNotEnabled');
    const user = this.#users.get(name);
    if (user === undefined) throw etcdError('AuthFailed');
    if (!user.hasPassword) throw etcdError('NoPasswordUser');
    return this.#options.tokens.assign(name, this.#revision, simpleToken, index);
  }

  /** @throws EtcdError UserEmpty, UserAlreadyExist, NoPasswordUser (a hash that is no base64) */
  addUser(request: AuthUserAddRequest): void {
    const { name, options } = request;
    if (name === '') throw etcdError('UserEmpty');
    if (this.#users.has(name)) throw etcdError('UserAlreadyExist');
    const noPassword = options?.noPassword === true;
    const password = noPassword ? Buffer.alloc(0) : this.#storedPassword(request);
    // The options are always there, even where they say nothing (reference: api 4.1).
    this.#putUser({ name: Buffer.from(name), password, roles: [], options: { noPassword } });
    this.#noteChange();
  }

  /** @throws EtcdError InvalidAuthMgmt, UserNotFound */
  deleteUser(name: string): void {
    if (this.#enabled && name === ROOT) throw etcdError('InvalidAuthMgmt');
    this.#requireUser(name);
    this.#users.delete(name);
    this.#rows.deleteUser(name);
    this.#noteChange();
    this.#options.tokens.dropUser(name);
  }

  /** @throws EtcdError UserNotFound, NoPasswordUser (a hash that is no base64) */
  changePassword(request: AuthUserChangePasswordRequest): void {
    const user = this.#requireUser(request.name);
    const password = user.hasPassword ? this.#storedPassword(request) : Buffer.alloc(0);
    this.#putUser({ ...user.row, password });
    this.#noteChange();
    this.#options.tokens.dropUser(request.name);
  }

  /** @throws EtcdError UserNotFound */
  userRoles(name: string): readonly string[] {
    return this.#requireUser(name).row.roles;
  }

  /** In the order of their bytes. */
  userNames(): string[] {
    return sortedByBytes(this.#users.keys());
  }

  /** Granting what is granted does nothing. @throws EtcdError UserNotFound, RoleNotFound */
  grantRole(username: string, role: string): void {
    const { row } = this.#requireUser(username);
    if (role !== ROOT && !this.#roles.has(role)) throw etcdError('RoleNotFound');
    if (row.roles.includes(role)) return;
    this.#putUser({ ...row, roles: sortedByBytes([...row.roles, role]) });
    this.#noteChange();
  }

  /** @throws EtcdError InvalidAuthMgmt, UserNotFound, RoleNotGranted */
  revokeRole(username: string, role: string): void {
    if (this.#enabled && username === ROOT && role === ROOT) throw etcdError('InvalidAuthMgmt');
    const { row } = this.#requireUser(username);
    if (!row.roles.includes(role)) throw etcdError('RoleNotGranted');
    this.#putUser(withoutRole(row, role));
    this.#noteChange();
  }

  /** @throws EtcdError RoleEmpty, RoleAlreadyExist */
  addRole(name: string): void {
    if (name === '') throw etcdError('RoleEmpty');
    if (this.#roles.has(name)) throw etcdError('RoleAlreadyExist');
    this.#putRole({ name: Buffer.from(name), keyPermission: [] });
    this.#noteChange();
  }

  /** Takes the role from everybody who holds it. @throws EtcdError InvalidAuthMgmt, RoleNotFound */
  deleteRole(name: string): void {
    if (this.#enabled && name === ROOT) throw etcdError('InvalidAuthMgmt');
    this.#requireRole(name);
    this.#roles.delete(name);
    this.#rows.deleteRole(name);
    for (const { row } of [...this.#users.values()]) {
      if (row.roles.includes(name)) this.#putUser(withoutRole(row, name));
    }
    this.#noteChange();
  }

  /** @throws EtcdError RoleNotFound */
  rolePermissions(name: string): readonly Permission[] {
    const role = this.#requireRole(name);
    return name === ROOT ? [ROOT_PERMISSION] : role.keyPermission;
  }

  /** In the order of their bytes. */
  roleNames(): string[] {
    return sortedByBytes(this.#roles.keys());
  }

  /**
   * Trap: only the first permission with that key is looked at for replacing, so a role with
   * several ranges from one key can come to hold the same range twice, as in etcd.
   * @throws EtcdError PermissionNotGiven, InvalidAuthMgmt, RoleNotFound
   */
  grantPermission({ name, perm }: AuthRoleGrantPermissionRequest): void {
    if (perm === undefined) throw etcdError('PermissionNotGiven');
    if (!isGrantableRange(perm.key, perm.rangeEnd)) throw etcdError('InvalidAuthMgmt');
    const role = this.#requireRole(name);
    this.#putRole({ ...role, keyPermission: withPermission(role.keyPermission, perm) });
    this.#noteChange();
  }

  /** @throws EtcdError RoleNotFound, PermissionNotGranted */
  revokePermission({ role: name, key, rangeEnd }: AuthRoleRevokePermissionRequest): void {
    const role = this.#requireRole(name);
    const rest = role.keyPermission.filter(
      (permission) => !key.equals(permission.key) || !rangeEnd.equals(permission.rangeEnd),
    );
    if (rest.length === role.keyPermission.length) throw etcdError('PermissionNotGranted');
    this.#putRole({ ...role, keyPermission: rest });
    this.#noteChange();
  }

  #storedPassword(request: { name: string; password: string; hashedPassword: string }): Buffer {
    return storedPassword(request, this.#options.hashPlainPassword);
  }

  #requireUser(name: string): AuthUser {
    const user = this.#users.get(name);
    if (user === undefined) throw etcdError('UserNotFound');
    return user;
  }

  #requireRole(name: string): Role {
    const role = this.#roles.get(name);
    if (role === undefined) throw etcdError('RoleNotFound');
    return role;
  }

  #putUser(row: User): void {
    this.#setUser(row);
    this.#rows.putUser(row);
  }

  #setUser(row: User): void {
    const user = new AuthUser(row, (roles) =>
      // A role that is gone allows nothing.
      mergePermissions(roles.flatMap((name) => this.#roles.get(name)?.keyPermission ?? [])),
    );
    this.#users.set(row.name.toString(), user);
  }

  #putRole(row: Role): void {
    this.#roles.set(row.name.toString(), row);
    this.#rows.putRole(row);
  }

  #noteChange(): void {
    for (const user of this.#users.values()) user.forgetPermissions();
    this.#bumpRevision();
  }

  #bumpRevision(): void {
    this.#revision++;
    this.#rows.putRevision(this.#revision);
  }
}

function withoutRole(row: User, role: string): User {
  return { ...row, roles: row.roles.filter((name) => name !== role) };
}

/** The permissions with one more, or one replaced; in the order of their keys. */
function withPermission(permissions: readonly Permission[], added: Permission): Permission[] {
  const result = [...permissions];
  const first = result.findIndex(({ key }) => Buffer.compare(key, added.key) >= 0);
  const found = result[first];
  if (found?.key.equals(added.key) && found.rangeEnd.equals(added.rangeEnd)) {
    result[first] = { ...found, permType: added.permType };
    return result;
  }
  // Copies, lest a role keep the piece of the log that it was read from.
  const { permType } = added;
  const copy = { permType, key: Buffer.from(added.key), rangeEnd: Buffer.from(added.rangeEnd) };
  return [...result, copy].sort((a, b) => Buffer.compare(a.key, b.key));
}

/** Trap: the order of strings in JavaScript is not that of their bytes in UTF-8. */
function sortedByBytes(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
