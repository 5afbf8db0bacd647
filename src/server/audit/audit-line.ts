import type { Clock } from '../../platform/clock.js';
import { GrpcCode, grpcCodeName } from '../../proto/errors.js';
import type { AuditQueue } from './audit-queue.js';
import type { AuditedCall } from './audited-call.js';
import { textMember } from './json-text.js';
import { isReadMethod, shortMethod } from './method-fields.js';

/** How one request ended. */
export interface AuditOutcome {
  readonly call: AuditedCall;
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
  readonly clock: Pick<Clock, 'wallMillis' | 'monotonicMillis'>;
  /** Whether reads are written, too. */
  readonly reads: boolean;
}

/** Composes the lines of one method. */
export class AuditLines {
  readonly isRead: boolean;
  readonly #options: AuditLinesOptions;
  readonly #method: string;
  #second = -1;
  #secondText = '';

  constructor(path: string, options: AuditLinesOptions) {
    this.isRead = isReadMethod(path);
    this.#method = `Z","method":${JSON.stringify(shortMethod(path))}`;
    this.#options = options;
  }

  /** Whether the line of a request is wanted. Refusals always are. */
  wants(code: GrpcCode, isRead = this.isRead): boolean {
    return !isRead || this.#options.reads || !(code === GrpcCode.OK || code === GrpcCode.Canceled);
  }

  write(outcome: AuditOutcome): void {
    const { call, started, members, requestBytes, responseBytes, code } = outcome;
    const { clock, queue } = this.#options;
    const millis = Math.round((clock.monotonicMillis() - started) * 1000) / 1000;
    queue.write(
      `{"time":"${this.#time()}${this.#method}${textMember('user', call.username)}` +
        `${textMember('cn', call.commonName ?? '')}${textMember('peer', call.peer)}${members}` +
        `,"request_bytes":${requestBytes},"response_bytes":${responseBytes}` +
        `,"code":"${grpcCodeName(code)}","ms":${millis}}\n`,
    );
  }

  /** RFC 3339 with milliseconds, without the `Z`. */
  #time(): string {
    const now = Math.trunc(this.#options.clock.wallMillis());
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    return this.#secondText + String(now - second * 1000).padStart(3, '0');
  }
}
