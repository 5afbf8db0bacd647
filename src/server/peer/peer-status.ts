import { formatId } from '../membership/member.js';
import type { PeerContext } from './peer-context.js';

/** What was tried in vain. */
export interface PeerFailure {
  /** `stream MsgApp v2`, `pipeline`, ... */
  readonly source: string;
  /** `dial`, `read`, `write`, ... */
  readonly action: string;
}

/** Whether a peer is connected, judged by what last succeeded or failed with it. */
export class PeerStatus {
  readonly #context: PeerContext;
  readonly #peer: string;
  #activeSince: number | undefined;

  constructor(context: PeerContext, id: bigint) {
    this.#context = context;
    this.#peer = formatId(id);
  }

  /** Monotonic ms; undefined: not connected. */
  get activeSince(): number | undefined {
    return this.#activeSince;
  }

  get isActive(): boolean {
    return this.#activeSince !== undefined;
  }

  activate(): void {
    if (this.isActive) return;
    const { clock, logger, metrics, localId } = this.#context;
    this.#activeSince = clock.monotonicMillis();
    logger.info('peer became active', { 'peer-id': this.#peer });
    metrics.active.with(localId, this.#peer).set(1);
  }

  deactivate({ source, action }: PeerFailure, reason: string): void {
    const { logger, metrics, localId } = this.#context;
    const error = `failed to ${action} ${this.#peer} on ${source} (${reason})`;
    if (!this.isActive) {
      logger.debug('peer deactivated again', { 'peer-id': this.#peer, error });
      return;
    }
    this.#activeSince = undefined;
    logger.warn('peer became inactive (message send to peer failed)', {
      'peer-id': this.#peer,
      error,
    });
    metrics.active.with(localId, this.#peer).set(0);
    metrics.disconnected.with(localId, this.#peer).inc();
  }

  /** The peer is none any more. */
  forget(): void {
    if (!this.isActive) return;
    this.#activeSince = undefined;
    this.#context.metrics.active.with(this.#context.localId, this.#peer).set(0);
  }
}
