import { formatGoMillis } from '../../base/go-format.js';
import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { isEtcdError } from '../../proto/errors.js';
import type { Retention } from './retention.js';

export interface AutoCompactorOptions {
  readonly retention: Retention;
  readonly clock: Pick<Clock, 'setTimer' | 'monotonicMillis'>;
  readonly logger: Logger;
  readonly currentRevision: () => number;
  /** Compaction is the leader's business; the others only follow the revision. */
  readonly isPaused: () => boolean;
  /** Compacts through the log. */
  readonly compact: (revision: number) => Promise<unknown>;
}

/** Compacts old revisions by itself as time goes on (reference: semantics 11). */
export class AutoCompactor {
  readonly #options: AutoCompactorOptions;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: AutoCompactorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#waitForTick();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #waitForTick(): void {
    if (this.#stopped) return;
    const { retention, clock, currentRevision } = this.#options;
    retention.observe(currentRevision());
    const next = (): void => this.#waitForTick();
    this.#timer = clock.setTimer(retention.tickMillis, () => {
      this.#tick().then(next, next);
    });
  }

  /** Compacts if it is time. A failure is logged; the next tick tries again. */
  async #tick(): Promise<void> {
    const { retention, clock, logger, currentRevision, isPaused, compact } = this.#options;
    if (isPaused()) return;
    const started = clock.monotonicMillis();
    const revision = retention.due(currentRevision(), started);
    if (revision === undefined) return;
    const { mode } = retention;
    const fields = { revision, ...retention.logFields };
    logger.info(`starting auto ${mode} compaction`, fields);
    const error = await failureOf(compact(revision));
    const now = clock.monotonicMillis();
    if (error === undefined) {
      retention.succeeded(revision, now);
      const took = formatGoMillis(now - started);
      logger.info(`completed auto ${mode} compaction`, { ...fields, took });
      return;
    }
    if (this.#stopped) return;
    logger.warn(`failed auto ${mode} compaction`, {
      ...fields,
      'retry-interval': formatGoMillis(retention.tickMillis),
      error,
    });
  }
}

/** Why a compaction failed. What was compacted already is as good as done. */
async function failureOf(compaction: Promise<unknown>): Promise<string | undefined> {
  try {
    await compaction;
    return undefined;
  } catch (error) {
    if (isEtcdError(error, 'Compacted')) return undefined;
    return error instanceof Error ? error.message : String(error);
  }
}
