import type { Counter } from '../base/metrics.js';
import { type EtcdError, etcdError } from '../proto/errors.js';
import { encodeInternalRequest } from '../proto/hot/internal-request.js';
import type { AppliedKind, RequestOf, ResultOf } from './apply/requests.js';
import type { Caller } from './auth/caller.js';
import type { PendingRequests } from './pending-requests.js';

/** Committed entries that may wait to be applied before proposals are refused. */
const MAX_APPLY_LAG = 5000;

export interface ProposalsOptions {
  readonly pending: PendingRequests;
  readonly nextId: () => bigint;
  /** Largest entry that may be proposed, bytes. */
  readonly maxRequestBytes: number;
  /** Committed entries that are not applied yet. */
  readonly applyLag: () => number;
  /** Why nothing is proposed any more, if so. */
  readonly stopError: () => EtcdError | undefined;
  readonly propose: (id: bigint, entry: Buffer, onDropped: (error: unknown) => void) => void;
  readonly failed: Counter | undefined;
}

/** Requests of this member on their way into the log, up to the answer that applying them gives. */
export class Proposals {
  readonly #options: ProposalsOptions;

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  propose<Kind extends AppliedKind>(
    kind: Kind,
    request: RequestOf<Kind>,
    payload: Uint8Array,
    { username, authRevision }: Caller,
  ): Promise<ResultOf<Kind>> {
    const id = this.#options.nextId();
    const entry = encodeInternalRequest({ id, username, authRevision }, kind, payload);
    return this.#submit(id, request, entry);
  }

  /** @param encode makes the entry for a request id */
  proposeEntry<Kind extends AppliedKind>(
    request: RequestOf<Kind>,
    encode: (id: bigint) => Buffer,
  ): Promise<ResultOf<Kind>> {
    const id = this.#options.nextId();
    return this.#submit(id, request, encode(id));
  }

  #submit<Result>(id: bigint, request: unknown, entry: Buffer): Promise<Result> {
    const { pending, propose, failed } = this.#options;
    const refusal = this.#refusalOf(entry);
    if (refusal !== undefined) return Promise.reject(refusal);
    const result = pending.wait<Result>(id, request, entry);
    propose(id, entry, (error) => {
      failed?.inc();
      pending.take(id)?.reject(error);
    });
    return result;
  }

  #refusalOf(entry: Buffer): EtcdError | undefined {
    const { pending, applyLag, maxRequestBytes, stopError } = this.#options;
    const stopped = stopError();
    if (stopped !== undefined) return stopped;
    if (applyLag() > MAX_APPLY_LAG || pending.isFull) return etcdError('RequestTooManyRequests');
    return entry.length > maxRequestBytes ? etcdError('RequestTooLarge') : undefined;
  }
}
