import { nodeClock } from '../../src/platform/node-clock.js';
import { AuthStore } from '../../src/server/auth/auth-store.js';
import { Authorizer } from '../../src/server/auth/authorizer.js';
import { noTokens } from '../../src/server/auth/no-tokens.js';
import { Callers } from '../../src/server/rpc/callers.js';
import { MemoryBackend } from '../../src/storage/backend/memory.js';

/** What services need of authentication, while it is off. */
export function openToAll(): { callers: Callers; authorizer: Authorizer } {
  const auth = new AuthStore({
    backend: new MemoryBackend(),
    tokens: noTokens,
    hashPlainPassword: (_username, password) => password,
  });
  const authorizer = new Authorizer(auth, { get: () => undefined, list: () => [] });
  const callers = new Callers({
    auth,
    authorizer,
    tokens: noTokens,
    clock: nodeClock,
    appliedIndex: () => 0,
    timeoutMillis: 1000,
    trustsCertificates: false,
  });
  return { callers, authorizer };
}
