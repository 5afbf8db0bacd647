import { DEFAULT_SESSION_TTL_SECONDS } from '../../recipes/contender.js';
import type { Client } from '../client.js';

/** The parts of a client that the recipes use. */
export type ConcurrencyClient = Pick<Client, 'kv' | 'lease' | 'watch'>;

/** A lease that is kept alive, and with it everything attached to it. */
export class Session {
  readonly client: ConcurrencyClient;
  readonly lease: bigint;
  /** Aborted when the lease is lost, or no longer kept by us. */
  readonly lost: AbortSignal;
  private readonly responses: AsyncIterableIterator<unknown>;

  private constructor(client: ConcurrencyClient, lease: bigint) {
    this.client = client;
    this.lease = lease;
    const lost = new AbortController();
    this.lost = lost.signal;
    this.responses = client.lease.keepAlive(lease);
    const onEnd = (): void => lost.abort();
    drain(this.responses).then(onEnd, onEnd);
  }

  /** Grants a lease of `ttlSeconds` (60 if it is not positive) and keeps it alive. */
  static async open(
    client: ConcurrencyClient,
    ttlSeconds: number = DEFAULT_SESSION_TTL_SECONDS,
  ): Promise<Session> {
    const TTL = ttlSeconds > 0 ? ttlSeconds : DEFAULT_SESSION_TTL_SECONDS;
    const { ID } = await client.lease.grant({ TTL });
    return new Session(client, ID);
  }

  /** Stops keeping the lease alive and leaves it to expire. */
  async orphan(): Promise<void> {
    await this.responses.return?.();
  }

  /** Stops keeping the lease alive and revokes it. */
  async close(): Promise<void> {
    await this.orphan();
    await this.client.lease.revoke(this.lease);
  }
}

async function drain(responses: AsyncIterable<unknown>): Promise<void> {
  for await (const _response of responses) {
    // Each answer only says that the lease still lives.
  }
}
