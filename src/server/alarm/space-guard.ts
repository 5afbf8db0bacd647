import type { Logger } from '../../base/logger.js';
import { etcdError } from '../../proto/errors.js';
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type AlarmRequest,
  AlarmType,
} from '../../proto/gen/etcdserverpb/rpc.js';
import type { Quota } from '../apply/quota.js';
import type { AlarmStore } from './alarm-store.js';

export interface SpaceGuardOptions {
  readonly quota: Quota;
  readonly alarms: AlarmStore;
  readonly localMemberId: bigint;
  readonly logger: Logger;
  /** Puts an alarm request through the log. */
  readonly propose: (request: AlarmRequest) => Promise<unknown>;
}

/** Keeps the backend within its quota (reference: semantics 4.2). */
export class SpaceGuard {
  readonly #options: SpaceGuardOptions;

  constructor(options: SpaceGuardOptions) {
    this.#options = options;
  }

  /**
   * Refuses a request for which there is no space, after raising the alarm.
   * @param cost what the request counts, bytes
   * @throws EtcdError NoSpace
   */
  async require(cost: number): Promise<void> {
    if (this.#options.quota.allows(cost)) return;
    await this.raise();
    throw etcdError('NoSpace');
  }

  /**
   * Raises the alarm unless it is up. A failure is logged and nothing else: the request that met
   * the quota is refused in any case, and the next one tries again.
   */
  async raise(): Promise<void> {
    const { quota, alarms, localMemberId, logger, propose } = this.#options;
    if (alarms.has(AlarmType.NOSPACE)) return;
    logger.warn('message exceeded backend quota; raising alarm', {
      'quota-size-bytes': quota.bytes,
    });
    try {
      await propose({
        action: AlarmAction.ACTIVATE,
        memberID: localMemberId,
        alarm: AlarmType.NOSPACE,
      });
    } catch (error) {
      logger.warn('failed to raise the alarm', { error: String(error) });
    }
  }
}
