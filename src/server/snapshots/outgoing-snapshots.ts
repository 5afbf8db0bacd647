import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
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
  readonly clock: Pick<Clock, 'defer' | 'monotonicMillis'>;
  readonly logger: Logger;
  readonly transport: Pick<PeerTransport, 'sendSnapshot'>;
  /** What is applied in this turn. */
  readonly applied: () => AppliedPoint;
  /** Tells Raft that a snapshot did not arrive. */
  readonly reportFailure: (to: bigint) => void;
}

/** Sends the state to members for which the log no longer goes back far enough. */
export class OutgoingSnapshots {
  readonly #options: OutgoingSnapshotsOptions;
  #underWay = 0;
  #keepLogUntil = Number.NEGATIVE_INFINITY;

  constructor(options: OutgoingSnapshotsOptions) {
    this.#options = options;
  }

  /** Whether somebody may still need the log that would be cut. */
  get needsLog(): boolean {
    return this.#underWay > 0 || this.#options.clock.monotonicMillis() < this.#keepLogUntil;
  }

  /** Sends the state as it is in this turn, in place of that which Raft had in mind. */
  send(message: Message): void {
    const { logger, reportFailure } = this.#options;
    // Trap: one that is dropped without a word would never be sent again.
    if (this.#underWay >= MAX_SNAPSHOTS_UNDER_WAY) {
      reportFailure(message.to);
      return;
    }
    this.#underWay++;
    this.#send(message).catch((error: unknown) => {
      this.#underWay--;
      logger.warn('failed to make a snapshot for a peer', {
        'remote-peer-id': formatId(message.to),
        error: String(error),
      });
      reportFailure(message.to);
    });
  }

  /** Told how it ended. */
  sent(succeeded: boolean): void {
    this.#underWay--;
    if (!succeeded) return;
    this.#keepLogUntil = this.#options.clock.monotonicMillis() + KEEP_LOG_MILLIS;
  }

  async #send(message: Message): Promise<void> {
    const { transport, applied } = this.#options;
    const snapshot = applied();
    const image = await openDatabaseImage(this.#options, () => true);
    if (image === undefined) throw new Error('nobody waits for the snapshot');
    transport.sendSnapshot({ ...message, snapshot }, image);
  }
}
