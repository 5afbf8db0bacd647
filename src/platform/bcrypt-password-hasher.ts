import { createRequire } from 'node:module';
import { type PasswordHasher, PasswordHasherError } from './password-hasher.js';

type Bcrypt = typeof import('@node-rs/bcrypt');

/** The prefix that Go's bcrypt writes. */
const VERSION = '2a';

let loaded: Bcrypt | undefined;

/** Loaded at the first password: most servers never see one. */
function bcrypt(): Bcrypt {
  if (loaded === undefined) {
    const load = createRequire(import.meta.url);
    try {
      loaded = load('@node-rs/bcrypt') as Bcrypt;
    } catch (error) {
      throw new PasswordHasherError(error);
    }
  }
  return loaded;
}

/** bcrypt as a native module, on the threads of libuv. */
export const bcryptPasswordHasher: PasswordHasher = {
  hash: async (password, cost) => bcrypt().hash(password, { cost, version: VERSION }),
  verify: async (password, hash) => bcrypt().verify(password, hash),
  hashWithSalt: (password, cost, salt) =>
    bcrypt().hashSync(password, { cost, salt, version: VERSION }),
};
