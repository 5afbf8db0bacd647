import type { Logger } from '../base/logger.js';
import type { Clock, Timer } from '../platform/clock.js';
import { etcdError } from '../proto/errors.js';
import { NONE, Role, type SoftState } from '../raft/types.js';
import { formatId } from './membership/member.js';

export interface LeadershipOptions {
  readonly localMemberId: bigint;
  readonly clock: Pick<Clock, 'monotonicMillis' | 'setTimer'>;
  readonly logger: Logger;
  /** Another member leads than before; not told of the loss of a leader. */
  readonly onNewLeader: () => void;
  /** This member leads no longer, or never did. */
  readonly onFollowing: () => void;
}

interface Wait {
  readonly isOver: (leader: bigint) => boolean;
  readonly timer: Timer | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Who leads, since when, and who waits for it to change. */
export class Leadership {
  readonly #options: LeadershipOptions;
  #leader = NONE;
  #electedMillis = Number.NEGATIVE_INFINITY;
  #lostMillis = Number.NEGATIVE_INFINITY;
  #role: Role = Role.Follower;
  #waits: Wait[] = [];
  #closed: { readonly error: unknown } | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** NONE: nobody is known to lead. */
  get leader(): bigint {
    return this.#leader;
  }

  get isLocal(): boolean {
    return this.#role === Role.Leader;
  }

  /** When the present leader became known, monotonic ms; minus infinity before the first. */
  get electedMillis(): number {
    return this.#electedMillis;
  }

  /** When it was last found that nobody leads, monotonic ms; minus infinity: at the start. */
  get lostMillis(): number {
    return this.#lostMillis;
  }

  note({ lead, role }: SoftState): void {
    const { clock, logger, localMemberId } = this.#options;
    this.#role = role;
    if (role !== Role.Leader) this.#options.onFollowing();
    if (lead === this.#leader) return;
    this.#leader = lead;
    logger.info('leader changed', {
      'local-member-id': formatId(localMemberId),
      'leader-id': formatId(lead),
    });
    if (lead === NONE) {
      this.#lostMillis = clock.monotonicMillis();
      return;
    }
    this.#electedMillis = clock.monotonicMillis();
    this.#options.onNewLeader();
    this.#wake();
  }

  /**
   * Resolves when somebody leads.
   * @throws EtcdError Stopped; NoLeader after `timeoutMillis`, if given
   */
  whenAny(timeoutMillis?: number): Promise<void> {
    return this.#wait(
      (leader) => leader !== NONE,
      timeoutMillis,
      () => etcdError('NoLeader'),
    );
  }

  /**
   * Resolves when that member leads.
   * @throws EtcdError TimeoutLeaderTransfer, Stopped
   */
  whenLedBy(id: bigint, timeoutMillis: number): Promise<void> {
    return this.#wait(
      (leader) => leader === id,
      timeoutMillis,
      () => etcdError('TimeoutLeaderTransfer'),
    );
  }

  /** Ends all waits, now and later. */
  close(error: unknown): void {
    this.#closed ??= { error };
    const waits = this.#waits;
    this.#waits = [];
    for (const { timer, reject } of waits) {
      timer?.cancel();
      reject(error);
    }
  }

  #wait(
    isOver: Wait['isOver'],
    timeoutMillis: number | undefined,
    timeoutError: () => Error,
  ): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error);
    if (isOver(this.#leader)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMillis === undefined
          ? undefined
          : this.#options.clock.setTimer(timeoutMillis, () => {
              this.#waits = this.#waits.filter((other) => other !== wait);
              reject(timeoutError());
            });
      const wait: Wait = { isOver, timer, resolve, reject };
      this.#waits.push(wait);
    });
  }

  #wake(): void {
    const waits = this.#waits;
    this.#waits = waits.filter(({ isOver }) => !isOver(this.#leader));
    for (const { isOver, timer, resolve } of waits) {
      if (!isOver(this.#leader)) continue;
      timer?.cancel();
      resolve();
    }
  }
}
