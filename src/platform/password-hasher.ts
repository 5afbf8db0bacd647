/** Longest password that bcrypt takes, bytes of UTF-8. */
export const MAX_PASSWORD_BYTES = 72;

/**
 * Hashes passwords with bcrypt. Passed in, so that what decides about users needs no native code.
 * All methods throw or reject with {@link PasswordHasherError} if bcrypt is not there.
 */
export interface PasswordHasher {
  /**
   * The hash of a password of at most {@link MAX_PASSWORD_BYTES}, in the form `$2a$10$...`, with a
   * random salt. Works outside the event loop.
   * @param cost logarithm of the work, 4 to 31
   */
  hash(password: string, cost: number): Promise<string>;
  /** Whether the password has that hash; false for a hash that is none. Outside the event loop. */
  verify(password: string, hash: Uint8Array): Promise<boolean>;
  /** As {@link hash}, at once and with a given salt of 16 bytes. Blocks the event loop. */
  hashWithSalt(password: string, cost: number, salt: Uint8Array): string;
}

/** There is no bcrypt for this platform. */
export class PasswordHasherError extends Error {
  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `the native module @node-rs/bcrypt, which passwords need, cannot be loaded: ${reason.split('\n', 1)[0]}`,
      { cause },
    );
    this.name = 'PasswordHasherError';
  }
}
