import type { Logger } from '../../base/logger.js';
import { etcdError } from '../../proto/errors.js';
import type { AuthStore } from './auth-store.js';
import type { LoginLimiter } from './login-limiter.js';
import type { PasswordWork } from './password-work.js';

/** How often a log-in begins again because the auth store changed under it. */
const MAX_ATTEMPTS = 20;

export interface LogInOptions {
  readonly auth: AuthStore;
  readonly passwords: PasswordWork;
  readonly limiter: LoginLimiter;
  readonly logger: Logger;
  /** Puts a log-in through the log; gives its result once it is applied. */
  readonly propose: (username: string) => Promise<string>;
}

export interface LogInRequest {
  readonly name: string;
  readonly password: string;
  /** Address the attempt comes from, without a port. */
  readonly address: string;
}

/**
 * Checks a password on this member and has the cluster make a token. The password is checked before
 * the log-in goes through the log and never goes there itself; if the auth store changed meanwhile,
 * what was checked may no longer hold, and it is checked again (reference: semantics 7.3).
 * @returns the token
 * @throws EtcdError AuthNotEnabled, AuthFailed, NoPasswordUser, VerifyOnly, AuthOldRevision (the
 *   store would not hold still), RequestTooManyRequests
 */
export async function logIn(options: LogInOptions, request: LogInRequest): Promise<string> {
  const { auth, limiter, propose } = options;
  const source = `${request.address} ${request.name}`;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (!auth.enabled) throw etcdError('AuthNotEnabled');
    const confirm = await limiter.admit(source);
    const { revision } = auth;
    await checkPassword(options, request, source, confirm);
    const token = await propose(request.name);
    if (auth.revision === revision) {
      limiter.noteSuccess(source);
      return token;
    }
  }
  throw etcdError('AuthOldRevision');
}

async function checkPassword(
  { auth, passwords, limiter, logger }: LogInOptions,
  { name, password }: LogInRequest,
  source: string,
  confirm: () => void,
): Promise<void> {
  const user = auth.user(name);
  if (user !== undefined && !user.hasPassword) throw etcdError('NoPasswordUser');
  if (await passwords.verify(password, user?.row.password, confirm)) return;
  limiter.noteFailure(source);
  const error = etcdError('AuthFailed');
  logger.warn('invalid authentication was requested', { user: name, error: error.message });
  throw error;
}
