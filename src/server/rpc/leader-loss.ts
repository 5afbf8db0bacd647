import type { Clock, Timer } from '../../platform/clock.js';
import { etcdError } from '../../proto/errors.js';
import type { OpenStreams } from './open-streams.js';

/**
 * Looks in a row without a leader before streams end. To open a stream again costs much more than
 * to refuse a call, so streams are given longer than calls (reference: api 5).
 */
const LOOKS_WITHOUT_LEADER = 3;

export interface LeaderLossOptions {
  readonly clock: Pick<Clock, 'setPeriodic'>;
  /** Time between looks: an election timeout, ms. */
  readonly intervalMillis: number;
  readonly hasLeader: () => boolean;
  /** The streams that demand a leader. */
  readonly streams: OpenStreams;
}

/** Ends streams that demand a leader when the member has been without one for some time. */
export class LeaderLoss {
  readonly #options: LeaderLossOptions;
  #looks = 0;
  #timer: Timer | undefined;

  constructor(options: LeaderLossOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, intervalMillis } = this.#options;
    this.#timer = clock.setPeriodic(intervalMillis, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { hasLeader, streams } = this.#options;
    this.#looks = hasLeader() ? 0 : this.#looks + 1;
    if (this.#looks >= LOOKS_WITHOUT_LEADER) streams.endAll(etcdError('NoLeader'));
  }
}
