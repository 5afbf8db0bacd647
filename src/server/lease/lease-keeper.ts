import type { Logger } from '../../base/logger.js';
import type { Counter } from '../../base/metrics.js';
import type { Clock } from '../../platform/clock.js';
import type { LeaseCheckpointRequest } from '../../proto/gen/etcdserverpb/rpc.js';
import { LeaseExpirer } from './lease-expirer.js';
import type { DueCheckpoint, Lessor } from './lessor.js';

export interface LeaseKeeperOptions {
  readonly lessor: Lessor;
  readonly clock: Pick<Clock, 'setPeriodic'>;
  readonly logger: Logger;
  /** Puts a revocation through the log. */
  readonly revoke: (id: bigint) => Promise<unknown>;
  /** Puts checkpoints through the log. */
  readonly checkpoint: (request: LeaseCheckpointRequest) => Promise<unknown>;
  /** Resolves when all that was committed so far is applied here. */
  readonly catchUp: () => Promise<void>;
  readonly expired?: Counter;
}

/** What the primary does for leases besides applying the log: renews them and lets them expire. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #expirer: LeaseExpirer;
  #stopped = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    const { lessor, clock, expired } = options;
    this.#expirer = new LeaseExpirer({
      lessor,
      clock,
      revoke: async (id) => {
        await options.revoke(id);
      },
      checkpoint: (due) => this.#checkpoint(due),
      onFailure: (error) => this.#noteFailure(error),
      ...(expired === undefined ? {} : { expired }),
    });
  }

  start(): void {
    this.#expirer.start();
  }

  stop(): void {
    this.#stopped = true;
    this.#expirer.stop();
  }

  /**
   * Gives a lease its full time again.
   * @returns the granted TTL, seconds
   * @throws EtcdError LeaseNotFound, NotPrimaryLessor
   */
  async renew(id: bigint, signal: AbortSignal): Promise<number> {
    const { lessor, catchUp } = this.#options;
    // A lease that was granted a moment ago may not be applied yet.
    if (!lessor.has(id)) await catchUp();
    await lessor.renewable(id, signal);
    if (lessor.needsCheckpointReset(id)) await this.#checkpoint([{ id, remainingTtlSeconds: 0 }]);
    return lessor.renew(id);
  }

  async #checkpoint(due: readonly DueCheckpoint[]): Promise<void> {
    const checkpoints = due.map(({ id, remainingTtlSeconds }) => ({
      ID: id,
      remainingTTL: remainingTtlSeconds,
    }));
    await this.#options.checkpoint({ checkpoints });
  }

  #noteFailure(error: unknown): void {
    if (this.#stopped) return;
    this.#options.logger.warn('failed to revoke a lease', { error: String(error) });
  }
}
