import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import { EtcdError, etcdError } from '../../proto/errors.js';
import type { InternalRequest } from '../../proto/hot/internal-request.js';
import { type ConfState, type Entry, EntryType } from '../../raft/types.js';
import { ANONYMOUS } from '../auth/caller.js';
import type { PendingRequest, PendingRequests } from '../pending-requests.js';
import type { Applier } from './applier.js';
import { encodeConfState } from './conf-state-json.js';
import type { ConsistentIndex } from './consistent-index.js';
import {
  ANSWERS_ONLY,
  type AppliedKind,
  decodeApplied,
  isAppliedKind,
  type RequestOf,
} from './requests.js';
import { decodeLoggedRequest, StoreWriteError } from './store-request.js';

/** A committed entry that this server can't carry out: going on would make it differ from others. */
class UnknownEntryError extends Error {
  override readonly name = 'UnknownEntryError';

  constructor(index: number, what: string) {
    super(`the log entry ${index} holds ${what}, which this server does not support`);
  }
}

export interface EntryApplierOptions {
  readonly applier: Applier;
  readonly pending: PendingRequests;
  readonly consistentIndex: ConsistentIndex;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  /** Told of each request how long it took, ms, and whether it was carried out. */
  readonly observe: (kind: AppliedKind, millis: number, succeeded: boolean) => void;
  /** Applies a change of the configuration to Raft and to the membership. */
  readonly applyConfChange: (entry: Entry, isReplay: boolean) => ConfState;
  /** The leader's empty entry of its term was applied. */
  readonly onLeaderConfirmed: (term: number) => void;
  /**
   * A request crossed the quota. Calls `then` when the alarm is raised, so that the client's next
   * request finds it.
   */
  readonly onQuotaExceeded: (then: () => void) => void;
}

/**
 * Applies committed entries in the order of the log and answers those who wait for them. Entries
 * that the backend already holds are recognised by the consistent index and not carried out again.
 * Source: reference, semantics 2.
 */
export class EntryApplier {
  readonly #options: EntryApplierOptions;

  constructor(options: EntryApplierOptions) {
    this.#options = options;
  }

  /**
   * @throws UnknownEntryError and any error that is not a refusal; the member must then end, and
   *   the backend no longer commits
   */
  apply(entry: Entry): void {
    try {
      this.#apply(entry);
    } catch (error) {
      // Committed now, even by a clean end, the index would make the next start skip the entry.
      this.#options.consistentIndex.fail(error);
      throw error;
    }
  }

  #apply(entry: Entry): void {
    const { consistentIndex } = this.#options;
    const isReplay = entry.index <= consistentIndex.index;
    // The index moves first: what the entry writes and the index go into the same backend batch.
    consistentIndex.advance(entry.index, entry.term, entry.data.length > 0);
    if (entry.type !== EntryType.Normal) {
      this.#applyConfChange(entry, isReplay);
    } else if (entry.data.length === 0) {
      this.#options.onLeaderConfirmed(entry.term);
    } else if (!isReplay) {
      const request = decode(entry);
      if (request !== undefined) this.#applyRequest(entry, request);
    }
  }

  #applyConfChange(entry: Entry, isReplay: boolean): void {
    const confState = this.#options.applyConfChange(entry, isReplay);
    if (!isReplay) this.#options.consistentIndex.setConfState(encodeConfState(confState));
  }

  #applyRequest(entry: Entry, { id, header, kind, request: bytes }: InternalRequest): void {
    const waiting = this.#options.pending.take(id);
    if (!isAppliedKind(kind)) throw new UnknownEntryError(entry.index, `a request of kind ${kind}`);
    if (waiting === undefined && ANSWERS_ONLY.has(kind)) return;
    // Ids are made of 16 bits of the member's and of the time, so a clock that was set back may use
    // one twice. An answer can go astray then, as in etcd; what is applied is what the log holds.
    const isOurs = waiting !== undefined && waiting.entry === entry.data;
    const request = (
      isOurs ? waiting.request : decodeApplied(kind, bytes)
    ) as RequestOf<AppliedKind>;
    const { applier, clock, observe } = this.#options;
    const started = clock.monotonicMillis();
    try {
      const result = applier.apply(kind, request, header ?? ANONYMOUS, waiting !== undefined);
      observe(kind, clock.monotonicMillis() - started, true);
      waiting?.resolve(result);
    } catch (error) {
      // A refusal is the result; anything else means that state and log no longer agree.
      if (!(error instanceof EtcdError)) {
        waiting?.reject(etcdError('Stopped'));
        throw error;
      }
      observe(kind, clock.monotonicMillis() - started, false);
      this.#refuse(kind, error, waiting);
    }
  }

  #refuse(kind: AppliedKind, error: EtcdError, waiting: PendingRequest | undefined): void {
    if (error.reason !== 'Compacted') {
      this.#options.logger.warn('failed to apply request', { request: kind, error: error.message });
    }
    if (waiting === undefined) return;
    if (error.reason !== 'NoSpace') {
      waiting.reject(error);
      return;
    }
    this.#options.onQuotaExceeded(() => waiting.reject(error));
  }
}

function decode(entry: Entry): InternalRequest | undefined {
  try {
    return decodeLoggedRequest(entry.data);
  } catch (error) {
    if (!(error instanceof StoreWriteError)) throw error;
    throw new UnknownEntryError(entry.index, error.message);
  }
}
