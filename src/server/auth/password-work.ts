import { MAX_PASSWORD_BYTES, type PasswordHasher } from '../../platform/password-hasher.js';
import { etcdError } from '../../proto/errors.js';

/**
 * Passwords hashed or checked at a time. They run on the same threads as the disk's work, of which
 * there are four: some must stay free, or nobody could write while somebody logs in.
 */
export const MAX_CONCURRENT_HASHES = 2;
/** Passwords that may wait for their turn. */
export const MAX_WAITING_HASHES = 1000;

/** Password checks and hashes, a few at a time and none on the event loop. */
export class PasswordWork {
  readonly #hasher: PasswordHasher;
  readonly #cost: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #decoy: Promise<Buffer> | undefined;

  /** @param cost of new hashes, 4 to 31 */
  constructor(hasher: PasswordHasher, cost: number) {
    this.#hasher = hasher;
    this.#cost = cost;
  }

  /**
   * The hash of a password as requests carry it: bcrypt's text in base64.
   * @throws EtcdError PasswordTooLong, RequestTooManyRequests
   */
  async hash(password: string): Promise<string> {
    requireHashable(password);
    const text = await this.#inTurn(() => this.#hasher.hash(password, this.#cost));
    return Buffer.from(text).toString('base64');
  }

  /**
   * Whether a password has a hash. Without one the answer is no, after as much work: how long the
   * answer takes must not tell which users there are.
   * @param confirm called when the check's turn has come; what it throws is the answer
   * @throws EtcdError RequestTooManyRequests
   */
  async verify(
    password: string,
    hash: Uint8Array | undefined,
    confirm: () => void = () => {},
  ): Promise<boolean> {
    const isReal = hash !== undefined && hash.length > 0;
    return this.#inTurn(async () => {
      confirm();
      // Made at the first check of all, whoever that is for.
      const decoy = await this.#decoyHash();
      const matches = await this.#hasher.verify(password, isReal ? hash : decoy);
      return isReal && matches;
    });
  }

  #decoyHash(): Promise<Buffer> {
    this.#decoy ??= this.#hasher.hash('', this.#cost).then((text) => Buffer.from(text));
    return this.#decoy;
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= MAX_CONCURRENT_HASHES) {
      if (this.#waiting.length >= MAX_WAITING_HASHES) throw etcdError('RequestTooManyRequests');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place goes to the next one; only if there is none does it become free.
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/**
 * Trap: bcrypt would only look at the first 72 bytes; etcd refuses what is longer.
 * @throws EtcdError PasswordTooLong
 */
export function requireHashable(password: string): void {
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) throw etcdError('PasswordTooLong');
}
