import type { Clock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import type { Caller } from './caller.js';
import type { TokenProvider } from './token-provider.js';

/** Letters of a prefix. */
const PREFIX_LENGTH = 16;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
/** Bytes from here on would make some letters likelier than others. */
const FAIR_BYTES = 256 - (256 % LETTERS.length);
/** Tokens a member remembers; beyond that the one unused for longest is forgotten. */
export const MAX_SIMPLE_TOKENS = 100_000;

interface Session {
  readonly username: string;
  readonly deadlineMillis: number;
}

export interface SimpleTokensOptions {
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  readonly random: Pick<Random, 'bytes'>;
  /** How long an unused token lives, ms. */
  readonly ttlMillis: number;
}

/**
 * Tokens that mean something only because the members remember them: `<16 letters>.<index>`. Every
 * member fills its memory as it applies log-ins; a restart forgets them all.
 * Source: reference, semantics 7.3 and api 17.3.
 */
export class SimpleTokens implements TokenProvider {
  readonly #options: SimpleTokensOptions;
  /** By token, the one unused for longest first: all live equally long, so it also ends first. */
  readonly #sessions = new Map<string, Session>();

  constructor(options: SimpleTokensOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  newPrefix(): string {
    let prefix = '';
    while (prefix.length < PREFIX_LENGTH) {
      for (const byte of this.#options.random.bytes(PREFIX_LENGTH)) {
        if (byte < FAIR_BYTES && prefix.length < PREFIX_LENGTH) {
          prefix += LETTERS[byte % LETTERS.length];
        }
      }
    }
    return prefix;
  }

  assign(username: string, _authRevision: number, prefix: string, index: number): string {
    const token = `${prefix}.${index}`;
    this.#forgetEnded();
    this.#remember(token, username);
    return token;
  }

  neededIndex(token: string): number | undefined {
    const match = /^[^.]*\.(\d{1,20})$/.exec(token);
    return match === null ? undefined : Number(match[1]);
  }

  lookup(token: string, authRevision: number): Caller | undefined {
    const session = this.#sessions.get(token);
    if (session === undefined) return undefined;
    this.#sessions.delete(token);
    if (session.deadlineMillis <= this.#options.clock.monotonicMillis()) return undefined;
    this.#remember(token, session.username);
    return { username: session.username, authRevision };
  }

  clear(): void {
    this.#sessions.clear();
  }

  dropUser(username: string): void {
    for (const [token, session] of this.#sessions) {
      if (session.username === username) this.#sessions.delete(token);
    }
  }

  #remember(token: string, username: string): void {
    const { clock, ttlMillis } = this.#options;
    this.#sessions.set(token, { username, deadlineMillis: clock.monotonicMillis() + ttlMillis });
  }

  #forgetEnded(): void {
    const now = this.#options.clock.monotonicMillis();
    for (const [token, { deadlineMillis }] of this.#sessions) {
      if (deadlineMillis > now && this.#sessions.size < MAX_SIMPLE_TOKENS) return;
      this.#sessions.delete(token);
    }
  }
}
