import type { Backend } from '../../storage/backend/backend.js';

const INDEX_KEY = Buffer.from('consistent_index');
const TERM_KEY = Buffer.from('term');
const CONF_STATE_KEY = Buffer.from('confState');

/**
 * How far the log is in the backend: the index and term of the last applied entry, committed in
 * the same batch as what that entry changed, so that a restart replays exactly what is missing.
 * Source: reference, formats 4.1 and semantics 2.
 */
export class ConsistentIndex {
  readonly #backend: Backend;
  #index = 0;
  #term = 0;
  #confState: string | undefined;
  #confStateChanged = false;
  #storedIndex = 0;
  #lastContent = 0;
  #beforeEntry = 0;
  #failure: Error | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.restore();
    backend.setPreCommitHook(() => this.#store());
  }

  /** Reads anew what the backend holds. */
  restore(): void {
    this.#index = readNumber(this.#backend.get('meta', INDEX_KEY));
    this.#term = readNumber(this.#backend.get('meta', TERM_KEY));
    this.#storedIndex = this.#index;
    this.#lastContent = this.#index;
  }

  /**
   * As {@link restore}, for contents that hold the state at `index`. Whether their own index counts
   * entries that change nothing depends on the release that wrote it.
   */
  restoreAtLeast(index: number, term: number): void {
    this.restore();
    this.#confStateChanged = false;
    if (index <= this.#index) return;
    this.#index = index;
    this.#term = term;
  }

  get index(): number {
    return this.#index;
  }

  get term(): number {
    return this.#term;
  }

  /**
   * The index before the entry that is being applied. Entries without content do not count: etcd
   * leaves the index alone for them, and the number shows in simple tokens, which all members must
   * form alike.
   */
  get beforeEntry(): number {
    return this.#beforeEntry;
  }

  /** Moves to the entry that is being applied; never backwards. */
  advance(index: number, term: number, hasContent: boolean): void {
    if (index <= this.#index) return;
    this.#index = index;
    this.#term = term;
    if (!hasContent) return;
    this.#beforeEntry = this.#lastContent;
    this.#lastContent = index;
  }

  /**
   * Keeps the backend from ever committing again: an entry was not applied, or not whole, so what
   * was written since the last commit belongs to no index. A restart replays it from the log.
   */
  fail(cause: unknown): void {
    this.#failure ??= new Error(`the log entry ${this.#index} was not applied: ${String(cause)}`, {
      cause,
    });
  }

  /** The configuration in its JSON form, as the backend has it; undefined if it has none. */
  storedConfState(): string | undefined {
    return this.#backend.get('meta', CONF_STATE_KEY)?.toString();
  }

  /** @param confState the JSON form of the configuration (reference: formats 4.4) */
  setConfState(confState: string): void {
    this.#confState = confState;
    this.#confStateChanged = true;
  }

  #store(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#index !== this.#storedIndex) {
      this.#storedIndex = this.#index;
      this.#backend.put('meta', INDEX_KEY, numberBytes(this.#index));
      if (this.#term > 0) this.#backend.put('meta', TERM_KEY, numberBytes(this.#term));
    }
    if (this.#confStateChanged && this.#confState !== undefined) {
      this.#confStateChanged = false;
      this.#backend.put('meta', CONF_STATE_KEY, Buffer.from(this.#confState));
    }
  }
}

function readNumber(bytes: Buffer | undefined): number {
  return bytes === undefined ? 0 : Number(bytes.readBigUInt64BE(0));
}

function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
