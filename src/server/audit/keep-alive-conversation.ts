import { GrpcCode } from '../../proto/errors.js';
import type { AuditLines, AuditLinesOptions } from './audit-line.js';
import type { AuditedCall } from './audited-call.js';
import type { AuditedStreamOptions, Conversation } from './conversation.js';
import {
  countField,
  idField,
  messageField,
  numberField,
  requestMembers,
  responseMembers,
} from './field-scan.js';

const REQUEST = [idField(1, 'lease')];
const RESPONSE = [messageField(1, [numberField(3, 'revision')]), countField(3, 'ttl_seconds')];

interface Renewal {
  readonly members: string;
  readonly started: number;
  readonly requestBytes: number;
}

/** Renewals are answered one by one and in order: a line for each, and one for the stream's end. */
export class KeepAliveConversation implements Conversation {
  readonly #call: AuditedCall;
  readonly #lines: AuditLines;
  readonly #clock: AuditLinesOptions['clock'];
  /** As many as the service queues; with more it ends the stream. */
  readonly #open: Renewal[] = [];
  #responseBytes = 0;

  constructor(call: AuditedCall, { lines, clock }: AuditedStreamOptions) {
    this.#call = call;
    this.#lines = lines;
    this.#clock = clock;
  }

  request(message: Buffer): void {
    this.#open.push({
      members: `,"event":"keep_alive"${requestMembers(message, REQUEST)}`,
      started: this.#clock.monotonicMillis(),
      requestBytes: message.length,
    });
  }

  response(message: Uint8Array): void {
    this.#responseBytes += message.length;
    const renewal = this.#open.shift();
    if (renewal !== undefined) this.#write(renewal, GrpcCode.OK, message);
  }

  end(code: GrpcCode): void {
    for (const renewal of this.#open.splice(0)) this.#write(renewal, code);
    this.#lines.write({
      call: this.#call,
      started: this.#call.started,
      members: ',"event":"end"',
      requestBytes: 0,
      responseBytes: this.#responseBytes,
      code,
    });
  }

  #write(renewal: Renewal, code: GrpcCode, response?: Uint8Array): void {
    this.#lines.write({
      ...renewal,
      call: this.#call,
      members:
        renewal.members + (response === undefined ? '' : responseMembers(response, RESPONSE)),
      responseBytes: response?.length ?? 0,
      code,
    });
  }
}
