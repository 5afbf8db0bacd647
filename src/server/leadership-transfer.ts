import type { Logger } from '../base/logger.js';
import type { Clock } from '../platform/clock.js';
import { etcdError } from '../proto/errors.js';
import type { Leadership } from './leadership.js';
import type { Cluster } from './membership/cluster.js';
import { formatId, type Member } from './membership/member.js';
import type { PeerTransport } from './peer/peer-transport.js';

/** How often a member that is going to stop looks whether it still waits for somebody, ms. */
const LOOK_MILLIS = 50;

export interface LeadershipTransferOptions {
  readonly cluster: Cluster;
  readonly leadership: Leadership;
  readonly transport: Pick<PeerTransport, 'activeSince'>;
  readonly clock: Pick<Clock, 'setPeriodic'>;
  readonly logger: Logger;
  /** How long a transfer may take, ms. */
  readonly timeoutMillis: number;
  /** Asks Raft to hand over. */
  readonly transfer: (to: bigint) => void;
}

/** Hands the leadership over, on request and before a planned stop. */
export class LeadershipTransfer {
  readonly #options: LeadershipTransferOptions;

  constructor(options: LeadershipTransferOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the other one leads.
   * @throws EtcdError BadLeaderTransferee, TimeoutLeaderTransfer, Stopped
   */
  transferTo(to: bigint): Promise<void> {
    const { cluster, leadership, logger, timeoutMillis, transfer } = this.#options;
    const member = cluster.member(to);
    if (member === undefined || member.isLearner) {
      return Promise.reject(etcdError('BadLeaderTransferee'));
    }
    logger.info('leadership transfer starting', {
      'local-member-id': formatId(cluster.localMemberId),
      'current-leader-member-id': formatId(leadership.leader),
      'transferee-member-id': formatId(to),
    });
    const done = leadership.whenLedBy(to, timeoutMillis);
    transfer(to);
    return done;
  }

  /**
   * Spares the others an election when this member is going to stop. Whether that works or not, the
   * stop goes on (reference: raft-and-peers B7).
   */
  async handOver(): Promise<void> {
    const { cluster, leadership, logger } = this.#options;
    if (!leadership.isLocal) return;
    const voters = cluster.members().filter(({ isLearner }) => !isLearner);
    if (voters.length < 2) return;
    const successor = this.#longestConnected(voters);
    try {
      if (successor === undefined) throw etcdError('Unhealthy');
      await Promise.race([this.transferTo(successor), this.#whenPointless(successor)]);
    } catch (error) {
      logger.warn('leadership transfer failed', {
        'local-member-id': formatId(cluster.localMemberId),
        error: String(error),
      });
    }
  }

  /**
   * Ends the wait for a successor when this member leads no longer, or the successor is gone too, as
   * when a whole cluster is stopped.
   * @throws EtcdError Unhealthy
   */
  #whenPointless(successor: bigint): Promise<void> {
    const { clock, leadership, transport } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.setPeriodic(LOOK_MILLIS, () => {
        const isConnected = transport.activeSince(successor) !== undefined;
        if (leadership.isLocal && isConnected) return;
        timer.cancel();
        if (leadership.isLocal) reject(etcdError('Unhealthy'));
        else resolve();
      });
      leadership.whenLedBy(successor, this.#options.timeoutMillis).then(
        () => timer.cancel(),
        () => timer.cancel(),
      );
    });
  }

  /** The member that is most likely to hold all of the log; undefined if none is connected. */
  #longestConnected(voters: readonly Member[]): bigint | undefined {
    let longest: { readonly id: bigint; readonly since: number } | undefined;
    for (const { id } of voters) {
      const since = this.#options.transport.activeSince(id);
      if (since === undefined) continue;
      if (longest === undefined || since < longest.since) longest = { id, since };
    }
    return longest?.id;
  }
}
