import type { User } from '../../proto/gen/authpb/auth.js';
import { ROOT } from './caller.js';
import type { UserPermissions } from './user-permissions.js';

/** A user as the auth store keeps it in memory. */
export class AuthUser {
  readonly row: User;
  /** Holds the role root: may do everything. The name counts for nothing. */
  readonly isAdmin: boolean;
  readonly #merge: (roles: readonly string[]) => UserPermissions;
  #permissions: UserPermissions | undefined;

  constructor(row: User, merge: (roles: readonly string[]) => UserPermissions) {
    this.row = row;
    this.isAdmin = row.roles.includes(ROOT);
    this.#merge = merge;
  }

  /** False: known by a certificate alone. */
  get hasPassword(): boolean {
    return this.row.options?.noPassword !== true;
  }

  /** All that its roles allow, merged at the first use after a change. */
  get permissions(): UserPermissions {
    this.#permissions ??= this.#merge(this.row.roles);
    return this.#permissions;
  }

  forgetPermissions(): void {
    this.#permissions = undefined;
  }
}
