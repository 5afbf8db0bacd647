import { RaftInvariantError } from './errors.js';
import type { JointConfig } from './quorum/joint.js';
import type { Message } from './types.js';

/** A read request, and the index at which it may be answered once the leadership is confirmed. */
export interface PendingRead {
  readonly request: Message;
  readonly index: number;
}

/**
 * Read-index requests that wait for a quorum to confirm the leadership, in the order in which they
 * came (reference: raft A7). A heartbeat carries the ordinal of the newest request as its token, so
 * that one answer confirms all requests before it. The caller bounds the queue.
 */
export class ReadOnlyQueue {
  #confirmed = 0;
  #unconfirmed: PendingRead[] = [];
  readonly #acked = new Map<bigint, number>();

  /** Number of requests that wait. */
  get length(): number {
    return this.#unconfirmed.length;
  }

  add(index: number, request: Message): void {
    this.#unconfirmed.push({ request, index });
  }

  /** The token for heartbeats: 8 bytes, little-endian; undefined if nothing waits. */
  token(): Buffer | undefined {
    if (this.#unconfirmed.length === 0) return undefined;
    const token = Buffer.alloc(8);
    token.writeBigUInt64LE(BigInt(this.#confirmed + this.#unconfirmed.length));
    return token;
  }

  /** A member echoed `token`. */
  acknowledge(id: bigint, token: Buffer): void {
    if (token.length < 8) {
      throw new RaftInvariantError(`read-index token of ${token.length} bytes, want 8`);
    }
    const ordinal = Number(token.readBigUInt64LE(0));
    this.#acked.set(id, Math.max(this.#acked.get(id) ?? 0, ordinal));
  }

  /** Takes the requests that a quorum has confirmed, first come first. */
  takeConfirmed(voters: JointConfig): readonly PendingRead[] {
    const ordinal = voters.committedIndex((id) => this.#acked.get(id));
    const count = Math.min(ordinal - this.#confirmed, this.#unconfirmed.length);
    if (count <= 0) return [];
    this.#confirmed += count;
    return this.#unconfirmed.splice(0, count);
  }
}
