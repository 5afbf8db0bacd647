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

/** Callers of one method whose part of the line is kept. */
const MAX_CALLERS = 1000;

interface Caller {
  readonly username: string;
  readonly commonName: string;
  readonly text: string;
}

/** `000` to `999` */
const THOUSANDTHS: readonly string[] = Array.from({ length: 1000 }, (_, number) =>
  String(number).padStart(3, '0'),
);

/** Composes the lines of one method. */
export class AuditLines {
  readonly isRead: boolean;
  readonly #options: AuditLinesOptions;
  readonly #method: string;
  /** The part of the line that says who calls, by peer. */
  readonly #callers = new Map<string, Caller>();
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
    const micros = Math.round((clock.monotonicMillis() - started) * 1000);
    const millis = Math.trunc(micros / 1000);
    queue.write(
      `{"time":"${this.#time()}${this.#who(call)}${members},"request_bytes":${requestBytes}` +
        `,"response_bytes":${responseBytes},"code":"${grpcCodeName(code)}","ms":${millis}` +
        `.${THOUSANDTHS[micros - millis * 1000]}}\n`,
    );
  }

  /** Made anew only when another user comes the same way. */
  #who({ username, commonName = '', peer }: AuditedCall): string {
    let caller = this.#callers.get(peer);
    if (caller?.username !== username || caller.commonName !== commonName) {
      const user = textMember('user', username);
      const cn = textMember('cn', commonName);
      const text = `${this.#method}${user}${cn}${textMember('peer', peer)}`;
      caller = { username, commonName, text };
      if (this.#callers.size >= MAX_CALLERS) this.#callers.clear();
      this.#callers.set(peer, caller);
    }
    return caller.text;
  }

  /** RFC 3339 with milliseconds, without the `Z`. */
  #time(): string {
    const now = Math.trunc(this.#options.clock.wallMillis());
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    return `${this.#secondText}${THOUSANDTHS[now - second * 1000]}`;
  }
}
