import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { Caller } from './caller.js';
import type { JwtAlgorithm } from './jwt-algorithms.js';
import type { JwtKeys } from './jwt-keys.js';
import type { TokenProvider } from './token-provider.js';

/** Longer tokens are refused unread, characters: ours have some hundred. */
const MAX_TOKEN_LENGTH = 16 * 1024;

export interface JwtTokensOptions {
  readonly algorithm: JwtAlgorithm;
  readonly keys: JwtKeys;
  /** How long a token lives, ms; the precision of a token is one second. */
  readonly ttlMillis: number;
  readonly clock: Pick<Clock, 'wallMillis'>;
  readonly logger: Logger;
}

/**
 * Signed tokens that carry the user's name and the auth revision of the log-in: no member has to
 * remember them, and any change of the auth store makes them old.
 * Trap: a token says itself how it is signed (`alg`); only the configured method counts, so that
 * neither `none` nor a public key used as an HMAC secret gets through.
 * Source: reference, semantics 7.3 and api 17.3.
 */
export class JwtTokens implements TokenProvider {
  readonly #options: JwtTokensOptions;
  readonly #header: string;

  constructor(options: JwtTokensOptions) {
    this.#options = options;
    this.#header = encodePart({ alg: options.algorithm.name, typ: 'JWT' });
  }

  newPrefix(): string {
    return '';
  }

  assign(username: string, authRevision: number): string {
    const { algorithm, keys, clock, ttlMillis } = this.#options;
    if (keys.signing === undefined) throw etcdError('VerifyOnly');
    const expiry = Math.floor((clock.wallMillis() + ttlMillis) / 1000);
    const claims = encodePart({ exp: expiry, revision: authRevision, username });
    const content = `${this.#header}.${claims}`;
    const signature = algorithm.sign(Buffer.from(content), keys.signing);
    return `${content}.${signature.toString('base64url')}`;
  }

  neededIndex(): number {
    return 0;
  }

  lookup(token: string): Caller | undefined {
    const problem = this.#examine(token);
    if (typeof problem !== 'string') return problem;
    this.#options.logger.warn('failed to parse a JWT token', { error: problem });
    return undefined;
  }

  clear(): void {}

  dropUser(): void {}

  /** Whose token it is, or what is wrong with it. */
  #examine(token: string): Caller | string {
    const { algorithm, keys, clock } = this.#options;
    if (token.length > MAX_TOKEN_LENGTH) return 'token is too long';
    const parts = token.split('.');
    const [header = '', payload = '', signature = ''] = parts;
    if (parts.length !== 3 || !parts.every(isBase64Url)) return 'token is malformed';
    if (decodePart(header)?.alg !== algorithm.name) return 'invalid signing method';
    const content = Buffer.from(`${header}.${payload}`);
    const signed = algorithm.verify(content, Buffer.from(signature, 'base64url'), keys.verifying);
    if (!signed) return 'signature is invalid';
    const claims = decodePart(payload);
    if (claims === undefined) return 'claims are malformed';
    return callerOf(claims, clock.wallMillis() / 1000);
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

function encodePart(part: JsonObject): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

/** Trap: Node's decoder passes over what it can't read, so two texts could be one token. */
function isBase64Url(text: string): boolean {
  return text !== '' && Buffer.from(text, 'base64url').toString('base64url') === text;
}

function decodePart(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
  } catch {
    // What is no JSON is no token; the caller says so.
    return undefined;
  }
}

function callerOf({ exp, nbf, username, revision }: JsonObject, now: number): Caller | string {
  if (exp !== undefined && !(typeof exp === 'number' && now < exp)) return 'token is expired';
  if (nbf !== undefined && !(typeof nbf === 'number' && now >= nbf))
    return 'token is not valid yet';
  if (typeof username !== 'string') return 'failed to obtain user claims from jwt token';
  if (typeof revision !== 'number' || !Number.isFinite(revision) || revision < 0) {
    return 'failed to obtain revision claims from jwt token';
  }
  return { username, authRevision: Math.min(Math.trunc(revision), Number.MAX_SAFE_INTEGER) };
}
