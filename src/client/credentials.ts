import { type EtcdError, isEtcdError } from '../proto/errors.js';

/** Fetches a fresh token for the configured user. */
export type TokenFetcher = () => Promise<string | undefined>;

/** Who the client is to the server. */
export interface CredentialOptions {
  readonly user?: string;
  readonly password?: string;
  /** A ready token, for instance a JWT; wins over user and password and is never refreshed. */
  readonly token?: string;
}

/**
 * The token sent with each call. Authentication happens only with a user and a non-empty password
 * (reference: cli 2.5).
 */
export class Credentials {
  private readonly options: CredentialOptions;
  private current: string | undefined;
  private refreshing: Promise<void> | undefined;

  constructor(options: CredentialOptions) {
    this.options = options;
    this.current = options.token === '' ? undefined : options.token;
  }

  get token(): string | undefined {
    return this.current;
  }

  /** The user and password to authenticate with, if that is to be done. */
  get login(): { readonly name: string; readonly password: string } | undefined {
    const { user, password, token } = this.options;
    const fixed = token !== undefined && token !== '';
    if (fixed || !user || !password) {
      return undefined;
    }
    return { name: user, password };
  }

  /** True if `error` says that a fresh token may help (reference: api 8). */
  needsRefresh(error: unknown): error is EtcdError {
    return (
      this.login !== undefined &&
      (isEtcdError(error, 'InvalidAuthToken') ||
        isEtcdError(error, 'AuthOldRevision') ||
        isEtcdError(error, 'UserEmpty'))
    );
  }

  /** Replaces the token; calls that ask at the same time share one fetch. */
  refresh(fetch: TokenFetcher): Promise<void> {
    this.refreshing ??= this.fetchToken(fetch).finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  private async fetchToken(fetch: TokenFetcher): Promise<void> {
    try {
      this.current = await fetch();
    } catch (error) {
      if (!isEtcdError(error, 'AuthNotEnabled')) {
        throw error;
      }
      this.current = undefined;
    }
  }
}
