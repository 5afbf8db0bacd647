import { createHash } from 'node:crypto';
import type { PasswordHasher } from '../../platform/password-hasher.js';

const SALT_BYTES = 16;

/**
 * Hashes the passwords that logs of 3.4 hold in plain text, at apply. The salt comes from the user's
 * name, so that every member of ours stores the same row.
 */
export function plainPasswordHasher(
  hasher: PasswordHasher,
  cost: number,
): (username: string, password: string) => string {
  return (username, password) => {
    const salt = createHash('sha256').update(username).digest().subarray(0, SALT_BYTES);
    return hasher.hashWithSalt(password, cost, salt);
  };
}
