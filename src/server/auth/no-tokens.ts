import { etcdError } from '../../proto/errors.js';
import type { TokenProvider } from './token-provider.js';

/** `--auth-token=`: nobody can log in; users are known by their certificates alone. */
export const noTokens: TokenProvider = {
  newPrefix: () => '',
  assign() {
    throw etcdError('AuthFailed');
  },
  neededIndex: () => undefined,
  lookup: () => undefined,
  clear() {},
  dropUser() {},
};
