import { type Counter, silentCounter } from '../../base/metrics.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { DueCheckpoint, Lessor } from './lessor.js';

/** How often expired leases are looked for, ms (reference: semantics 8). */
export const EXPIRY_INTERVAL_MILLIS = 500;
/** Leases taken in one look. */
const EXPIRED_PER_LOOK = 500;
/** Revocations under way at a time. */
export const CONCURRENT_REVOKES = 16;
/** Checkpoints in one log entry. */
const CHECKPOINTS_PER_ENTRY = 1000;

export interface LeaseExpirerOptions {
  readonly lessor: Lessor;
  readonly clock: Pick<Clock, 'setPeriodic'>;
  /**
   * Revokes one lease through the log; rejects if that failed. The lease is offered again later,
   * so a failure needs no other handling here.
   */
  readonly revoke: (id: bigint) => Promise<void>;
  /** Tells the other members how much time leases have left, through the log. */
  readonly checkpoint: (checkpoints: readonly DueCheckpoint[]) => Promise<void>;
  /** Called when one of the two failed. */
  readonly onFailure: (error: unknown) => void;
  readonly expired?: Counter;
}

/**
 * Turns the passing of time into log entries: on the primary, revokes leases whose time is over and
 * writes due checkpoints. All effects go through the log, so that members stay equal.
 */
export class LeaseExpirer {
  readonly #options: LeaseExpirerOptions;
  readonly #waiting: bigint[] = [];
  #underWay = 0;
  #timer: Timer | undefined;

  constructor(options: LeaseExpirerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.setPeriodic(EXPIRY_INTERVAL_MILLIS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#waiting.length = 0;
  }

  #look(): void {
    const { lessor, checkpoint, onFailure } = this.#options;
    if (!lessor.isPrimary) {
      this.#waiting.length = 0;
      return;
    }
    const due = lessor.takeDueCheckpoints(CHECKPOINTS_PER_ENTRY);
    if (due.length > 0) checkpoint(due).catch(onFailure);
    // A backlog is worked off first: what is not taken now is still there at the next look.
    if (this.#waiting.length > 0) return;
    this.#waiting.push(...lessor.takeExpired(EXPIRED_PER_LOOK));
    this.#startRevokes();
  }

  #startRevokes(): void {
    while (this.#underWay < CONCURRENT_REVOKES) {
      const id = this.#waiting.shift();
      if (id === undefined) return;
      // While it waited it may have been revoked, or given new time by another promotion.
      if (!this.#options.lessor.isExpired(id)) continue;
      this.#underWay++;
      this.#revoke(id).catch(this.#options.onFailure);
    }
  }

  async #revoke(id: bigint): Promise<void> {
    try {
      await this.#options.revoke(id);
      (this.#options.expired ?? silentCounter).inc();
    } finally {
      this.#underWay--;
      this.#startRevokes();
    }
  }
}
