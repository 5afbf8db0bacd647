import type { Clock } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { AuthStore } from '../auth/auth-store.js';
import type { Authorizer } from '../auth/authorizer.js';
import { ANONYMOUS, type Caller } from '../auth/caller.js';
import type { TokenProvider } from '../auth/token-provider.js';
import type { CallContext } from './transport.js';

/** How often a token that this member can't know yet is looked at again, ms. */
const RETRY_MILLIS = 20;
/** Calls whose token this member can't know yet; further ones are refused. */
export const MAX_TOKEN_WAITS = 1000;
const BEARER = 'Bearer ';

export interface CallersOptions {
  readonly auth: AuthStore;
  readonly authorizer: Authorizer;
  readonly tokens: TokenProvider;
  readonly clock: Pick<Clock, 'setTimer' | 'monotonicMillis'>;
  /** How far the log is applied here. */
  readonly appliedIndex: () => number;
  /** How long a call waits for its token to become known, ms. */
  readonly timeoutMillis: number;
  /** Whether the name in a verified client certificate names the user (`--client-cert-auth`). */
  readonly trustsCertificates: boolean;
}

/** Finds out who makes a call (reference: api 17.2). */
export class Callers {
  readonly #options: CallersOptions;
  #waits = 0;

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** While false, everybody is anonymous and {@link of} need not be asked. */
  get enabled(): boolean {
    return this.#options.auth.enabled;
  }

  /**
   * Who makes the call; at once, unless it shows a token from a log-in that is not applied here
   * yet. A token beats a certificate, and a bad one is an error: there is no falling back.
   * @throws EtcdError InvalidAuthToken
   */
  of(context: CallContext): Caller | Promise<Caller> {
    if (!this.#options.auth.enabled) return ANONYMOUS;
    const caller = this.#find(context);
    if (context.identified === undefined) return caller;
    if (!(caller instanceof Promise)) return told(caller, context);
    return caller.then((found) => told(found, context));
  }

  /**
   * As {@link admin}, for what another member passes on.
   * @param authorization the token of whoever asked that member; undefined: none
   * @throws EtcdError InvalidAuthToken, UserEmpty, UserNotFound, PermissionDenied
   */
  adminWithToken(authorization: string | undefined, signal: AbortSignal): Promise<Caller> {
    return this.admin({
      method: '',
      metadata: { get: (name) => (name === 'authorization' ? authorization : undefined) },
      peer: '',
      deadlineMillis: undefined,
      signal,
    });
  }

  #find(context: CallContext): Caller | Promise<Caller> {
    const { tokens, appliedIndex } = this.#options;
    const token = tokenOf(context);
    if (token === undefined) return this.#certificateUser(context);
    const index = tokens.neededIndex(token);
    if (index === undefined) throw etcdError('InvalidAuthToken');
    if (index <= appliedIndex()) return this.#lookUp(token);
    return this.#lookUpLater(token, index, context);
  }

  /** As {@link of}, for calls that must not be anonymous. @throws EtcdError UserEmpty */
  async known(context: CallContext): Promise<Caller> {
    const caller = await this.of(context);
    this.#options.authorizer.requireIdentity(caller);
    return caller;
  }

  /**
   * As {@link of}, for calls of administrators.
   * @throws EtcdError UserEmpty, UserNotFound, PermissionDenied
   */
  async admin(context: CallContext): Promise<Caller> {
    const caller = await this.of(context);
    this.#options.authorizer.requireAdmin(caller);
    return caller;
  }

  /**
   * Trap: a call through the gateway comes with the gateway's own certificate, which says nothing
   * about who asks.
   */
  #certificateUser({ commonName, metadata }: CallContext): Caller {
    const { trustsCertificates, auth } = this.#options;
    if (!trustsCertificates || commonName === undefined) return ANONYMOUS;
    if (metadata.get('grpcgateway-accept') !== undefined) return ANONYMOUS;
    return { username: commonName, authRevision: auth.revision };
  }

  #lookUp(token: string): Caller {
    const { tokens, auth } = this.#options;
    const caller = tokens.lookup(token, auth.revision);
    if (caller === undefined) throw etcdError('InvalidAuthToken');
    return caller;
  }

  /** Trap: the index in a token is what the client says it is, so there may be no such entry ever. */
  async #lookUpLater(token: string, index: number, { signal }: CallContext): Promise<Caller> {
    const { clock, appliedIndex, timeoutMillis } = this.#options;
    if (this.#waits >= MAX_TOKEN_WAITS) throw etcdError('InvalidAuthToken');
    const deadline = clock.monotonicMillis() + timeoutMillis;
    this.#waits++;
    try {
      while (index > appliedIndex()) {
        if (signal.aborted || clock.monotonicMillis() >= deadline) {
          throw etcdError('InvalidAuthToken');
        }
        await new Promise<void>((resolve) => clock.setTimer(RETRY_MILLIS, resolve));
      }
    } finally {
      this.#waits--;
    }
    return this.#lookUp(token);
  }
}

function told(caller: Caller, context: CallContext): Caller {
  if (caller.username !== '') context.identified?.(caller.username);
  return caller;
}

/** The token that a call shows, good or bad. */
export function tokenOf({ metadata }: CallContext): string | undefined {
  const text = metadata.get('token') ?? metadata.get('authorization');
  return text?.startsWith(BEARER) ? text.slice(BEARER.length) : text;
}
