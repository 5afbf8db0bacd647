import { Role, User } from '../../proto/gen/authpb/auth.js';
import type { Backend } from '../../storage/backend/backend.js';

const ENABLED_KEY = Buffer.from('authEnabled');
const REVISION_KEY = Buffer.from('authRevision');
const FROM_START = Buffer.alloc(0);

/**
 * The rows of the auth store in the backend, byte for byte as etcd has them (reference: formats
 * 4.1): buckets `auth`, `authUsers` and `authRoles`.
 */
export class AuthRows {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  isEnabled(): boolean {
    return this.#backend.get('auth', ENABLED_KEY)?.[0] === 1;
  }

  /** 0: there never was a store here. */
  revision(): number {
    const row = this.#backend.get('auth', REVISION_KEY);
    return row === undefined ? 0 : Number(row.readBigUInt64BE(0));
  }

  users(): User[] {
    return Array.from(this.#backend.range('authUsers', FROM_START), ([, row]) => User.decode(row));
  }

  roles(): Role[] {
    return Array.from(this.#backend.range('authRoles', FROM_START), ([, row]) => Role.decode(row));
  }

  putEnabled(enabled: boolean): void {
    this.#backend.put('auth', ENABLED_KEY, Buffer.of(enabled ? 1 : 0));
  }

  putRevision(revision: number): void {
    const row = Buffer.alloc(8);
    row.writeBigUInt64BE(BigInt(revision));
    this.#backend.put('auth', REVISION_KEY, row);
  }

  putUser(user: User): void {
    this.#backend.put('authUsers', user.name, User.encode(user).finish());
  }

  putRole(role: Role): void {
    this.#backend.put('authRoles', role.name, Role.encode(role).finish());
  }

  deleteUser(name: string): void {
    this.#backend.delete('authUsers', Buffer.from(name));
  }

  deleteRole(name: string): void {
    this.#backend.delete('authRoles', Buffer.from(name));
  }
}
