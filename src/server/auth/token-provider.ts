import type { Caller } from './caller.js';

/** How log-ins become tokens, and tokens users again (reference: semantics 7.3). */
export interface TokenProvider {
  /** The random part of the next token, chosen before the log-in goes through the log. */
  newPrefix(): string;
  /**
   * The token of a log-in that was applied.
   * @param prefix what {@link newPrefix} gave on the member that took the log-in
   * @param index of the log, before the entry of the log-in
   * @throws EtcdError AuthFailed, VerifyOnly
   */
  assign(username: string, authRevision: number, prefix: string, index: number): string;
  /** The index that has to be applied before the token can be known; undefined: it is no token. */
  neededIndex(token: string): number | undefined;
  /**
   * Whose token it is; undefined: nobody's, or no longer anybody's.
   * @param authRevision of the store now
   */
  lookup(token: string, authRevision: number): Caller | undefined;
  /** Authentication was turned off: no token lives through that. */
  clear(): void;
  /** The user is gone or has another password. */
  dropUser(username: string): void;
}
