import type { Clock } from '../../platform/clock.js';
import { etcdError, isEtcdError } from '../../proto/errors.js';
import type { Leadership } from '../leadership.js';
import type { Cluster } from '../membership/cluster.js';
import type { PeerCalls } from '../peer/peer-calls.js';

/** Time between two attempts to reach the leader, ms. */
const RETRY_MILLIS = 50;

export interface LeaseTime {
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  readonly keys: readonly Buffer[];
}

export interface RemoteLeasesOptions {
  readonly cluster: Cluster;
  readonly leadership: Pick<Leadership, 'leader' | 'whenAny'>;
  readonly calls: Pick<PeerCalls, 'renewLease' | 'leaseTimeToLive'>;
  readonly clock: Pick<Clock, 'monotonicMillis' | 'setTimer'>;
  readonly electionMillis: number;
  /** How long a request may take, ms. */
  readonly timeoutMillis: number;
}

/**
 * Leases as the leader knows them, asked from another member: only there time passes for them
 * (reference: semantics 8, KeepAlive on follower).
 */
export class RemoteLeases {
  readonly #options: RemoteLeasesOptions;

  constructor(options: RemoteLeasesOptions) {
    this.#options = options;
  }

  /**
   * @returns the granted TTL, seconds
   * @throws EtcdError LeaseNotFound, NoLeader, Timeout, Canceled, Stopped
   */
  renew(id: bigint, signal: AbortSignal): Promise<number> {
    const { calls } = this.#options;
    return this.#ask(signal, (urls, timeout) => calls.renewLease(urls, id, timeout));
  }

  /**
   * Undefined: there is no such lease.
   * @throws EtcdError NoLeader, Timeout, Stopped
   */
  async timeToLive(id: bigint, wantsKeys: boolean): Promise<LeaseTime | undefined> {
    const { calls } = this.#options;
    const never = new AbortController().signal;
    try {
      return await this.#ask(never, (urls, timeout) =>
        calls.leaseTimeToLive(urls, id, wantsKeys, timeout),
      );
    } catch (error) {
      if (isEtcdError(error, 'LeaseNotFound')) return undefined;
      throw error;
    }
  }

  async #ask<T>(
    signal: AbortSignal,
    call: (peerUrls: readonly string[], timeoutMillis: number) => Promise<T>,
  ): Promise<T> {
    const { clock, timeoutMillis } = this.#options;
    const deadline = clock.monotonicMillis() + timeoutMillis;
    for (;;) {
      const urls = await this.#leaderUrls();
      try {
        return await call(urls, deadline - clock.monotonicMillis());
      } catch (error) {
        if (isEtcdError(error, 'LeaseNotFound')) throw error;
      }
      if (signal.aborted) throw etcdError('Canceled');
      await new Promise<void>((resolve) => clock.setTimer(RETRY_MILLIS, resolve));
      if (clock.monotonicMillis() >= deadline) throw etcdError('Timeout');
    }
  }

  /** @throws EtcdError Stopped; NoLeader if there is none for an election timeout */
  async #leaderUrls(): Promise<readonly string[]> {
    const { cluster, leadership, electionMillis } = this.#options;
    await leadership.whenAny(electionMillis);
    const leader = cluster.member(leadership.leader);
    if (leader === undefined) throw etcdError('NoLeader');
    return leader.peerUrls;
  }
}
