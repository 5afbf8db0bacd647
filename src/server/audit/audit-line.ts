import type { Clock } from '../../platform/clock.js';
import { GrpcCode } from '../../proto/errors.js';
import type { AuditQueue } from './audit-queue.js';
import { textMember } from './json-text.js';
import { isReadMethod, methodNumber } from './method-fields.js';
import { recordBytes } from './record-chunk.js';
import { revisionOf } from './response-revision.js';

/** Who makes a call. */
export interface AuditCaller {
  readonly username: string;
  readonly commonName?: string | undefined;
  readonly peer: string;
}

/** How one request ended. */
export interface AuditOutcome {
  readonly call: AuditCaller;
  /** When it began, on the monotonic clock, ms. */
  readonly started: number;
  /** Of the request and the response, each with a comma before it. */
  readonly members: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly code: GrpcCode;
}

export interface AuditLinesOptions {
  readonly queue: AuditQueue;
  readonly clock: Pick<Clock, 'monotonicMillis'>;
  /** Whether reads are written, too. */
  readonly reads: boolean;
}

/** Callers whose part of the line is kept, by address. */
const MAX_CALLERS = 1000;

interface KnownCaller extends AuditCaller {
  readonly members: Buffer;
}

/** The part of a line that says who calls: made anew only when another user comes the same way. */
export class KnownCallers {
  readonly #callers = new Map<string, KnownCaller>();
  #last: KnownCaller | undefined;

  members(call: AuditCaller): Buffer {
    const last = this.#last;
    if (last !== undefined && isSame(last, call)) return last.members;
    let caller = this.#callers.get(call.peer);
    if (caller === undefined || !isSame(caller, call)) {
      const { username, commonName = '', peer } = call;
      const user = textMember('user', username);
      const cn = textMember('cn', commonName);
      const members = Buffer.from(`${user}${cn}${textMember('peer', peer)}`);
      caller = { username, commonName: call.commonName, peer, members };
      if (this.#callers.size >= MAX_CALLERS) this.#callers.clear();
      this.#callers.set(peer, caller);
    }
    this.#last = caller;
    return caller.members;
  }
}

function isSame(left: AuditCaller, right: AuditCaller): boolean {
  return (
    left.peer === right.peer &&
    left.username === right.username &&
    left.commonName === right.commonName
  );
}

/** Hands what there is to tell of the calls of one method to the queue. */
export class AuditLines {
  readonly isRead: boolean;
  readonly #options: AuditLinesOptions;
  readonly #method: number;
  readonly #callers: KnownCallers;

  constructor(
    path: string,
    { callers, ...options }: AuditLinesOptions & { readonly callers: KnownCallers },
  ) {
    this.#callers = callers;
    this.isRead = isReadMethod(path);
    this.#method = methodNumber(path);
    this.#options = options;
  }

  /** Whether the line of a request is wanted. Refusals always are. */
  wants(code: GrpcCode, isRead = this.isRead): boolean {
    return !isRead || this.#options.reads || !(code === GrpcCode.OK || code === GrpcCode.Canceled);
  }

  write({ call, started, members, requestBytes, responseBytes, code }: AuditOutcome): void {
    const { clock, queue } = this.#options;
    const caller = this.#callers.members(call);
    const text = `${members},"request_bytes":${requestBytes},"response_bytes":${responseBytes}`;
    const bytes = Buffer.byteLength(text);
    const now = clock.monotonicMillis();
    queue
      .room(recordBytes(caller, bytes))
      ?.addMembers(this.#method, code, started, now, caller, text, bytes);
  }

  /**
   * As {@link write}, of a request that was carried out: its members will be read from the request,
   * without what lies between `cut` and `cutEnd`.
   */
  writeExcerpt(
    call: AuditCaller,
    started: number,
    request: Uint8Array,
    cut: number,
    cutEnd: number,
    response: Uint8Array,
  ): void {
    const { clock, queue } = this.#options;
    const caller = this.#callers.members(call);
    const revision = revisionOf(response);
    const now = clock.monotonicMillis();
    queue
      .room(recordBytes(caller, request.length))
      ?.addExcerpt(
        this.#method,
        started,
        now,
        caller,
        request,
        cut,
        cutEnd,
        response.length,
        revision,
      );
  }
}
