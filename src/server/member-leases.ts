import { keyBytes } from '../base/bytes.js';
import { etcdError, isEtcdError } from '../proto/errors.js';
import { LeaseCheckpointRequest, LeaseRevokeRequest } from '../proto/gen/etcdserverpb/rpc.js';
import type { Leadership } from './leadership.js';
import { LeaseKeeper } from './lease/lease-keeper.js';
import { type LeaseTime, RemoteLeases } from './lease/remote-leases.js';
import type { LocalMember } from './local-member.js';
import type { MemberParts } from './member-parts.js';
import type { TickWatch } from './raft-loop/tick-watch.js';

export interface MemberLeasesOptions {
  readonly parts: Pick<
    MemberParts,
    'lessor' | 'clock' | 'logger' | 'metrics' | 'cluster' | 'calls' | 'auth' | 'settings'
  >;
  readonly member: Pick<
    LocalMember,
    'propose' | 'linearizableRead' | 'isLeader' | 'electionMillis' | 'requestTimeoutMillis'
  >;
  readonly leadership: Leadership;
  readonly ticks: Pick<TickWatch, 'wasSteady'>;
}

/** The time of leases, which passes on the leader alone: kept there, asked for from elsewhere. */
export class MemberLeases {
  readonly #options: MemberLeasesOptions;
  readonly #keeper: LeaseKeeper;
  readonly #remote: RemoteLeases;
  /** When the leadership was last made sure of, monotonic ms. */
  #provedMillis = Number.NEGATIVE_INFINITY;

  constructor(options: MemberLeasesOptions) {
    this.#options = options;
    this.#keeper = this.#newKeeper();
    const { parts, member, leadership } = options;
    this.#remote = new RemoteLeases({
      cluster: parts.cluster,
      leadership,
      calls: parts.calls,
      clock: parts.clock,
      electionMillis: member.electionMillis,
      timeoutMillis: member.requestTimeoutMillis,
    });
  }

  start(): void {
    this.#keeper.start();
  }

  stop(): void {
    this.#keeper.stop();
  }

  /**
   * Gives a lease its full time again.
   * @returns the granted TTL, seconds
   * @throws EtcdError LeaseNotFound, NoLeader, Timeout, Canceled
   */
  async renew(id: bigint, signal: AbortSignal): Promise<number> {
    if (this.#options.member.isLeader) {
      try {
        return await this.renewHere(id, signal);
      } catch (error) {
        // It lost the leadership meanwhile: the next leader knows.
        if (!isEtcdError(error, 'NotPrimaryLessor')) throw error;
      }
    }
    return this.#remote.renew(id, signal);
  }

  /**
   * As {@link renew}, on this member or not at all.
   * @throws EtcdError LeaseNotFound, NotPrimaryLessor
   */
  async renewHere(id: bigint, signal: AbortSignal): Promise<number> {
    await this.#ensureLeadership();
    return this.#keeper.renew(id, signal);
  }

  /**
   * How long a lease has still to live; undefined: there is no such lease.
   * @throws EtcdError NoLeader, LeaderChanged, Timeout
   */
  async timeToLive(id: bigint, wantsKeys: boolean): Promise<LeaseTime | undefined> {
    if (!this.#options.member.isLeader) return this.#remote.timeToLive(id, wantsKeys);
    return this.timeToLiveHere(id, wantsKeys);
  }

  /**
   * As {@link timeToLive}, on this member or not at all.
   * @throws EtcdError LeaderChanged
   */
  timeToLiveHere(id: bigint, wantsKeys: boolean): LeaseTime | undefined {
    const { lessor } = this.#options.parts;
    const lease = lessor.get(id);
    if (lease === undefined) return undefined;
    if (!lessor.isPrimary) throw etcdError('LeaderChanged');
    return {
      ttlSeconds: Math.trunc(lessor.remainingMillis(lease) / 1000),
      grantedTtlSeconds: lease.ttlSeconds,
      keys: wantsKeys ? [...lease.keys].map(keyBytes) : [],
    };
  }

  #newKeeper(): LeaseKeeper {
    const { parts, member } = this.#options;
    const { lessor, clock, logger, metrics, auth } = parts;
    return new LeaseKeeper({
      lessor,
      clock,
      logger,
      revoke: async (ID) => {
        await this.#ensureLeadership();
        const payload = LeaseRevokeRequest.encode({ ID }).finish();
        await member.propose('leaseRevoke', { ID }, payload, auth.rootCaller());
      },
      checkpoint: (request) =>
        member.propose('leaseCheckpoint', request, LeaseCheckpointRequest.encode(request).finish()),
      catchUp: () => member.linearizableRead(),
      ...(metrics === undefined ? {} : { expired: metrics.leaseExpired }),
    });
  }

  /**
   * A process that stood still may have lost the leadership without a word, and must then neither
   * renew leases nor let them expire (reference: raft-and-peers B7, leader-only routines).
   * @throws EtcdError NotPrimaryLessor, LeaderChanged, Timeout
   */
  async #ensureLeadership(): Promise<void> {
    const { parts, member, ticks } = this.#options;
    const now = parts.clock.monotonicMillis();
    // Trap: after a standstill a tick comes first, and the messages of the new leader only then.
    if (!ticks.wasSteady(this.#provedMillis, now)) {
      await member.linearizableRead();
      this.#provedMillis = now;
    }
    if (!member.isLeader) throw etcdError('NotPrimaryLessor');
  }
}
