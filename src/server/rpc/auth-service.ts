import { etcdError } from '../../proto/errors.js';
import { SERVICES } from '../../proto/services.js';
import type { LocalMember } from '../local-member.js';
import { missingMethod, unaryMethod } from './methods.js';
import type { RpcMethod } from './transport.js';

/** The revision of an auth store that was never changed (reference: api 17.1). */
const FIRST_AUTH_REVISION = 1;

/**
 * etcdserverpb.Auth of a server without users: it says truthfully that authentication is off, and
 * refuses to turn it on.
 */
export function authService(member: LocalMember): RpcMethod[] {
  const { authStatus, authDisable, authenticate, ...missing } = SERVICES.auth;
  return [
    unaryMethod(authStatus, () => ({
      header: member.header(),
      enabled: false,
      authRevision: FIRST_AUTH_REVISION,
    })),
    // Disabling what is disabled succeeds, as in etcd.
    unaryMethod(authDisable, () => ({ header: member.header() })),
    unaryMethod(authenticate, () => {
      throw etcdError('AuthNotEnabled');
    }),
    ...Object.values(missing).map(({ path }) => missingMethod(path, 'authentication')),
  ];
}
