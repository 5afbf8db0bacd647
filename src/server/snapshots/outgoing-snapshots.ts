import type { Logger } from '../../base/logger.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { ConfState, Message } from '../../raft/types.js';
import type { Backend } from '../../storage/backend/backend.js';
import { formatId } from '../membership/member.js';
import type { PeerTransport } from '../peer/peer-transport.js';
import { openDatabaseImage } from './database-image.js';

/** Snapshots that may be on their way at a time; each holds a view of the backend open. */
export const MAX_SNAPSHOTS_UNDER_WAY = 16;
/**
 * How long the log is kept after a snapshot was delivered, ms: the member that got it still needs
 * the entries since (reference: raft-and-peers B4).
 */
const KEEP_LOG_MILLIS = 30_000;
/**
 * How long Raft is not told of the second failure in a row, ms, and how long at most. It wants the
 * next snapshot at once, and each is a commit and a look at all data: a member whose disk is full
 * would keep its leader busy with nothing else.
 */
const FIRST_DELAY_MILLIS = 500;
const MAX_DELAY_MILLIS = 5000;

/** The state that a snapshot stands for. */
export interface AppliedPoint {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  /** The membership in the form that releases before 3.7 read. */
  readonly data: Buffer;
}

export interface OutgoingSnapshotsOptions {
  readonly backend: Pick<Backend, 'snapshot'>;
  readonly clock: Pick<Clock, 'defer' | 'monotonicMillis' | 'setTimer'>;
  readonly logger: Logger;
  readonly transport: Pick<PeerTransport, 'sendSnapshot'>;
  /** What is applied in this turn. */
  readonly applied: () => AppliedPoint;
  /** Tells Raft how sending one ended. */
  readonly report: (to: bigint, succeeded: boolean) => void;
}

/** Sends the state to members for which the log no longer goes back far enough. */
export class OutgoingSnapshots {
  readonly #options: OutgoingSnapshotsOptions;
  #underWay = 0;
  #keepLogUntil = Number.NEGATIVE_INFINITY;
  /** Failures in a row, by member. */
  readonly #failures = new Map<bigint, number>();
  /** Reports that are held back, by member. */
  readonly #delayed = new Map<bigint, Timer>();
  #isStopped = false;

  constructor(options: OutgoingSnapshotsOptions) {
    this.#options = options;
  }

  /** Whether somebody may still need the log that would be cut. */
  get needsLog(): boolean {
    return this.#underWay > 0 || this.#options.clock.monotonicMillis() < this.#keepLogUntil;
  }

  /** Sends the state as it is in this turn, in place of that which Raft had in mind. */
  send(message: Message): void {
    // Raft does not wait for the report of the one before.
    this.#dropReport(message.to);
    // Trap: one that is dropped without a word would never be sent again.
    if (this.#underWay >= MAX_SNAPSHOTS_UNDER_WAY) {
      this.#fail(message.to);
      return;
    }
    this.#underWay++;
    this.#send(message).catch((error: unknown) => {
      this.#underWay--;
      if (this.#isStopped) return;
      this.#options.logger.warn('failed to make a snapshot for a peer', {
        'remote-peer-id': formatId(message.to),
        error: String(error),
      });
      this.#fail(message.to);
    });
  }

  /** Told by the transport how it ended. */
  sent(to: bigint, succeeded: boolean): void {
    this.#underWay--;
    if (!succeeded) {
      this.#fail(to);
      return;
    }
    this.#failures.delete(to);
    this.#keepLogUntil = this.#options.clock.monotonicMillis() + KEEP_LOG_MILLIS;
    this.#options.report(to, true);
  }

  /** A member is none any more. */
  forget(id: bigint): void {
    this.#failures.delete(id);
    this.#dropReport(id);
  }

  /** Reports nothing any more. What is under way ends with the transport. */
  stop(): void {
    this.#isStopped = true;
    for (const to of [...this.#delayed.keys()]) this.#dropReport(to);
  }

  #dropReport(to: bigint): void {
    this.#delayed.get(to)?.cancel();
    this.#delayed.delete(to);
  }

  #fail(to: bigint): void {
    if (this.#isStopped) return;
    const { clock, report } = this.#options;
    const before = this.#failures.get(to) ?? 0;
    this.#failures.set(to, before + 1);
    if (before === 0) {
      report(to, false);
      return;
    }
    const delay = Math.min(FIRST_DELAY_MILLIS * 2 ** (before - 1), MAX_DELAY_MILLIS);
    this.#dropReport(to);
    this.#delayed.set(
      to,
      clock.setTimer(delay, () => {
        this.#delayed.delete(to);
        report(to, false);
      }),
    );
  }

  async #send(message: Message): Promise<void> {
    const { transport, applied } = this.#options;
    const snapshot = applied();
    const image = await openDatabaseImage(this.#options, () => !this.#isStopped);
    if (image === undefined) throw new Error('nobody waits for the snapshot');
    transport.sendSnapshot({ ...message, snapshot }, image);
  }
}
