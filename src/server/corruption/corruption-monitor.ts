import { formatGoDuration } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { BackgroundJob } from '../background-jobs.js';
import type { CorruptionChecker } from './corruption-checker.js';

export interface CorruptionMonitorOptions {
  readonly checker: Pick<CorruptionChecker, 'periodicCheck' | 'compactHashCheck'>;
  readonly clock: Pick<Clock, 'setPeriodic'>;
  readonly logger: Logger;
  readonly isLeader: () => boolean;
  /** Gap between two checks of all keys, ms; 0: none. */
  readonly periodMillis: number;
  /** Gap between two checks of the hashes of compactions, ms; 0: none. */
  readonly compactHashMillis: number;
}

/** Lets a leader check from time to time that all members have the same keys. */
export class CorruptionMonitor implements BackgroundJob {
  readonly #options: CorruptionMonitorOptions;
  readonly #timers: Timer[] = [];
  #isStopped = false;

  constructor(options: CorruptionMonitorOptions) {
    this.#options = options;
  }

  start(): void {
    const { checker, logger, periodMillis, compactHashMillis } = this.#options;
    if (periodMillis > 0) {
      logger.info('enabled corruption checking', {
        interval: formatGoDuration(periodMillis * 1e6),
      });
      this.#repeat(periodMillis, () => checker.periodicCheck());
    }
    if (compactHashMillis > 0) {
      logger.info('enabled compact hash checking', {
        interval: formatGoDuration(compactHashMillis * 1e6),
      });
      this.#repeat(compactHashMillis, () => checker.compactHashCheck());
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** A check that takes longer than the gap is not joined by a second one. */
  #repeat(millis: number, check: () => Promise<void>): void {
    const { clock, isLeader, logger } = this.#options;
    let isRunning = false;
    const run = async (): Promise<void> => {
      if (isRunning || !isLeader()) return;
      isRunning = true;
      try {
        await check();
      } catch (error) {
        if (!this.#isStopped) logger.warn('failed to check hash KV', { error: String(error) });
      } finally {
        isRunning = false;
      }
    };
    this.#timers.push(clock.setPeriodic(millis, () => void run()));
  }
}
