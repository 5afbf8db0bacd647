const MEMBER_SHIFT = 48n;
const TIME_SHIFT = 8n;
const TIME_MASK = (1n << 40n) - 1n;
const ID_MASK = (1n << 64n) - 1n;

/**
 * Request ids that no other member and no earlier life of this one has used: 16 bits of the member
 * id, 40 bits of milliseconds at the start, and a counter that carries into the time
 * (reference: semantics 2).
 */
export class RequestIdGenerator {
  #next: bigint;

  /** @param wallMillis the wall clock at the start of the process */
  constructor(memberId: bigint, wallMillis: number) {
    const prefix = (memberId & 0xffffn) << MEMBER_SHIFT;
    this.#next = prefix | ((BigInt(Math.floor(wallMillis)) & TIME_MASK) << TIME_SHIFT);
  }

  next(): bigint {
    this.#next = (this.#next + 1n) & ID_MASK;
    return this.#next;
  }

  /** An id for a lease: positive, since lease ids are signed. */
  nextLeaseId(): bigint {
    return this.next() & (ID_MASK >> 1n);
  }
}
