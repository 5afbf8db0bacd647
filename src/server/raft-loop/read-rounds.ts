import type { Logger } from '../../base/logger.js';
import type { Counter } from '../../base/metrics.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { ReadState } from '../../raft/types.js';

/** How long an unanswered round waits before it is asked again, ms (reference: semantics 5). */
export const READ_RETRY_MILLIS = 500;
/** Reads that may wait for a round at a time. */
export const MAX_WAITING_READS = 100_000;

export interface ReadMetrics {
  /** Rounds that timed out, and answers to questions of a round before. */
  readonly slowReads: Counter;
  /** Rounds that a change of the leader ended. */
  readonly failedReads: Counter;
}

export interface ReadRoundsOptions {
  readonly clock: Pick<Clock, 'setTimer'>;
  /** Asks Raft for a read index under that 8-byte context. */
  readonly ask: (context: Buffer) => void;
  /** A number that no other member uses. */
  readonly nextId: () => bigint;
  /** How long a read may wait for its round, ms. */
  readonly timeoutMillis: number;
  readonly logger: Logger;
  readonly metrics?: ReadMetrics;
}

interface WaitingRead {
  resolve(index: number): void;
  reject(error: unknown): void;
}

interface Round {
  readonly reads: WaitingRead[];
  /** Of every time it was asked: an answer to any of them will do. */
  readonly contexts: bigint[];
  retry: Timer;
  readonly timeout: Timer;
}

/**
 * Linearizable reads: one read-index round serves all the reads that were waiting when it began;
 * those that come later wait for the next, since the answer may be older than they are.
 * Source: reference, semantics 5.
 */
export class ReadRounds {
  readonly #options: ReadRoundsOptions;
  #waiting: WaitingRead[] = [];
  #round: Round | undefined;

  constructor(options: ReadRoundsOptions) {
    this.#options = options;
  }

  /** Whether {@link begin} has anything to do. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0 && this.#round === undefined;
  }

  /** Resolves with the index that must be applied before the read may be served. */
  wait(): Promise<number> {
    if (this.#waiting.length >= MAX_WAITING_READS) {
      return Promise.reject(etcdError('RequestTooManyRequests'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  /** Starts a round for the reads that wait now, unless one is under way. */
  begin(): void {
    if (!this.hasWaiting) return;
    const { clock, timeoutMillis } = this.#options;
    const round: Round = {
      reads: this.#waiting,
      contexts: [],
      retry: clock.setTimer(READ_RETRY_MILLIS, () => this.#ask(round)),
      timeout: clock.setTimer(timeoutMillis, () => this.#timeOut()),
    };
    this.#waiting = [];
    this.#round = round;
    this.#askOnce(round);
  }

  /** Takes an answer of Raft; one that belongs to no round under way is ignored. */
  answer({ index, context }: ReadState): void {
    const round = this.#round;
    if (context.length !== 8) return;
    if (round?.contexts.includes(context.readBigUInt64BE(0)) !== true) {
      this.#options.metrics?.slowReads.inc();
      return;
    }
    this.#finish(round);
    for (const read of round.reads) read.resolve(index);
  }

  /** Asks again: Raft may have dropped the question before the leader committed in its term. */
  askAgain(): void {
    if (this.#round !== undefined) this.#askOnce(this.#round);
  }

  /** Ends the round that is under way, as when the leader changes. */
  failRound(error: unknown): void {
    if (this.#round !== undefined) this.#options.metrics?.failedReads.inc();
    this.#fail(error);
  }

  /** Ends all reads. */
  close(error: unknown): void {
    this.#fail(error);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const read of waiting) read.reject(error);
  }

  #ask(round: Round): void {
    const { clock, logger } = this.#options;
    logger.warn('waiting for ReadIndex response took too long, retrying', {
      'sent-request-id': round.contexts.at(-1),
      'retry-timeout': `${READ_RETRY_MILLIS}ms`,
    });
    round.retry = clock.setTimer(READ_RETRY_MILLIS, () => this.#ask(round));
    this.#askOnce(round);
  }

  #timeOut(): void {
    const { logger, metrics, timeoutMillis } = this.#options;
    logger.warn('timed out waiting for read index response (local node might have slow network)', {
      timeout: `${timeoutMillis / 1000}s`,
    });
    metrics?.slowReads.inc();
    this.#fail(etcdError('Timeout'));
  }

  #askOnce(round: Round): void {
    const id = this.#options.nextId();
    round.contexts.push(id);
    const context = Buffer.allocUnsafe(8);
    context.writeBigUInt64BE(id);
    this.#options.ask(context);
  }

  #fail(error: unknown): void {
    const round = this.#round;
    if (round === undefined) return;
    this.#finish(round);
    for (const read of round.reads) read.reject(error);
  }

  #finish(round: Round): void {
    round.retry.cancel();
    round.timeout.cancel();
    this.#round = undefined;
  }
}
