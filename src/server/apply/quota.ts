/** What a lease grant counts, bytes (reference: semantics 4.1). */
export const LEASE_GRANT_COST = 64;
/** The quota where none is configured, bytes. */
const DEFAULT_QUOTA_BYTES = 2 * 1024 * 1024 * 1024;

/** How large the backend may grow (reference: semantics 4.1). */
export class Quota {
  /** As Status reports it: negative means there is no limit. */
  readonly bytes: number;
  readonly #allocatedBytes: () => number;

  /**
   * @param configured bytes; 0: the default; negative: no limit
   * @param allocatedBytes the size of the backend now, free pages included
   */
  constructor(configured: number, allocatedBytes: () => number) {
    this.bytes = configured === 0 ? DEFAULT_QUOTA_BYTES : configured;
    this.#allocatedBytes = allocatedBytes;
  }

  /** Whether a request of this cost still fits. What costs nothing always does. */
  allows(cost: number): boolean {
    if (cost === 0 || this.bytes < 0) return true;
    return this.#allocatedBytes() + cost < this.bytes;
  }
}
