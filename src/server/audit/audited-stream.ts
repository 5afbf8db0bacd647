import { GrpcCode, statusOf } from '../../proto/errors.js';
import { SERVICES } from '../../proto/services.js';
import type { ServerStream, StreamHandler } from '../rpc/transport.js';
import type { AuditLines, AuditLinesOptions } from './audit-line.js';
import { AuditedCall } from './audited-call.js';
import type { AuditedStreamOptions, Conversation } from './conversation.js';
import { requestMembers } from './field-scan.js';
import { KeepAliveConversation } from './keep-alive-conversation.js';
import { REQUEST_FIELDS, responseReader } from './method-fields.js';
import { WatchConversation } from './watch-conversation.js';

/** A stream as its handler sees it: whatever goes through is shown to a conversation first. */
export class AuditedStream implements ServerStream {
  readonly context: AuditedCall;
  readonly #inner: ServerStream;
  readonly #queue: AuditLinesOptions['queue'];
  readonly #conversation: Conversation;
  #ended = false;

  constructor(inner: ServerStream, options: AuditedStreamOptions) {
    this.#inner = inner;
    this.#queue = options.queue;
    this.context = new AuditedCall(inner.context, options.clock.monotonicMillis());
    this.#conversation = conversationOf(this.context, options);
    inner.onClose(() => this.#finish(GrpcCode.Canceled));
  }

  serve(handle: StreamHandler): void {
    this.#guard(() => handle(this));
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#inner.onMessage((message) => {
      this.#admit(() => {
        this.#conversation.request(message);
        listener(message);
      });
    });
  }

  onHalfClose(listener: () => void): void {
    // Behind the messages that may still wait.
    this.#inner.onHalfClose(() => this.#admit(listener));
  }

  onClose(listener: () => void): void {
    this.#inner.onClose(listener);
  }

  onDrain(listener: () => void): void {
    this.#inner.onDrain(listener);
  }

  send(message: Uint8Array): boolean {
    if (!this.#ended) this.#conversation.response(message);
    return this.#inner.send(message);
  }

  end(error?: unknown): void {
    this.#finish(error === undefined ? GrpcCode.OK : statusOf(error).code);
    this.#inner.end(error);
  }

  #admit(run: () => void): void {
    this.#queue.admit(
      () => {
        if (!this.#ended) this.#guard(run);
      },
      (error) => this.end(error),
    );
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.end(error);
    }
  }

  #finish(code: GrpcCode): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#conversation.end(code);
  }
}

function conversationOf(call: AuditedCall, options: AuditedStreamOptions): Conversation {
  switch (call.method) {
    case SERVICES.watch.watch.path:
      return new WatchConversation(call, options);
    case SERVICES.lease.leaseKeepAlive.path:
      return new KeepAliveConversation(call, options);
    default:
      return new SingleQuestion(call, options.lines);
  }
}

/** One request and any number of responses: one line at the end. */
class SingleQuestion implements Conversation {
  readonly #call: AuditedCall;
  readonly #lines: AuditLines;
  readonly #readResponse: (response: Uint8Array) => string;
  #request: Buffer | undefined;
  #responseMembers = '';
  #responseBytes = 0;

  constructor(call: AuditedCall, lines: AuditLines) {
    this.#call = call;
    this.#lines = lines;
    this.#readResponse = responseReader(call.method);
  }

  request(message: Buffer): void {
    this.#request ??= message;
  }

  response(message: Uint8Array): void {
    this.#responseBytes += message.length;
    const members = this.#readResponse(message);
    if (members !== '') this.#responseMembers = members;
  }

  end(code: GrpcCode): void {
    const call = this.#call;
    if (!this.#lines.wants(code)) return;
    const request = this.#request;
    const members =
      request === undefined ? '' : requestMembers(request, REQUEST_FIELDS.get(call.method) ?? []);
    this.#lines.write({
      call,
      started: call.started,
      members: members + this.#responseMembers,
      requestBytes: request?.length ?? 0,
      responseBytes: this.#responseBytes,
      code,
    });
  }
}
