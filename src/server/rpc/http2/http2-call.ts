import type { Clock, Timer } from '../../../platform/clock.js';
import { etcdError, GrpcCode, RpcError, type RpcStatus, statusOf } from '../../../proto/errors.js';
import { lateError } from '../late-error.js';
import type { MethodObserver, RpcCheck } from '../rpc-observer.js';
import type { CallMetadata, IdentifiedCall, RpcMethod } from '../transport.js';
import { Http2Stream } from './http2-stream.js';
import { MAX_HELD_BYTES } from './limits.js';
import {
  checkEncoding,
  checkPrefix,
  MESSAGE_PREFIX_BYTES,
  MessageAssembler,
  type MessageRules,
} from './message-assembler.js';
import type { RequestHead } from './request-head.js';
import { errorTrailers, OK_TRAILERS } from './response-headers.js';
import type { ResponseWriter } from './response-writer.js';

/** Longest delay that a Node timer takes, milliseconds; who waits longer waits for ever. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1;

const OK: RpcStatus = { code: GrpcCode.OK, message: '' };

/** A served method with its observer. */
export interface ServedMethod {
  readonly method: RpcMethod;
  readonly observer: MethodObserver;
}

/** What the calls of a transport share. */
export interface CallEnvironment {
  readonly clock: Clock;
  readonly checks: readonly RpcCheck[];
  /** Rules of calls without compression. */
  readonly rules: MessageRules;
  /** Largest response message, octets. */
  readonly maxSendBytes: number;
}

/** The connection of a call, as the call sees it. */
export interface CallConnection {
  /** Remote address as `host:port`; `@` for a unix socket, as Go prints it. */
  readonly peer: string;
  /** Common name of the client's verified certificate. */
  readonly commonName: string | undefined;
  readonly writer: ResponseWriter;
  openCalls: number;
  /** Memory of incomplete requests, octets. */
  heldBytes: number;
  /** Lets the client send more on a stream that held it back. */
  replenish(stream: Http2Stream): void;
}

/** What unary and streaming calls have in common: context, messages, deadline, status. */
export abstract class Http2Call extends Http2Stream implements IdentifiedCall {
  readonly deadlineMillis: number | undefined;
  username = '';
  protected readonly connection: CallConnection;
  protected readonly environment: CallEnvironment;
  protected readonly head: RequestHead;
  protected readonly observer: MethodObserver;
  /** The status is on its way: what follows is no cancellation. */
  protected answered = false;
  #started = 0;
  #headersSent = false;
  #handled = false;
  #cancelled = false;
  #expired = false;
  #timer: Timer | undefined;
  #abort: AbortController | undefined;
  #assembler: MessageAssembler | undefined;

  constructor(
    id: number,
    head: RequestHead,
    served: ServedMethod,
    connection: CallConnection,
    environment: CallEnvironment,
  ) {
    super(id, connection.writer.initialWindow);
    this.head = head;
    this.observer = served.observer;
    this.connection = connection;
    this.environment = environment;
    const { timeoutMillis } = head;
    this.deadlineMillis =
      timeoutMillis === undefined ? undefined : environment.clock.monotonicMillis() + timeoutMillis;
  }

  /** The call is in the table of its connection and may begin. */
  start(): void {
    const { head } = this;
    this.connection.openCalls++;
    this.#started = this.observer.started(this);
    const { timeoutMillis } = head;
    if (timeoutMillis !== undefined && timeoutMillis <= MAX_TIMER_MILLIS) {
      this.#expireAfter(timeoutMillis);
    }
    try {
      checkEncoding(head.encoding);
      this.opened();
    } catch (error) {
      this.fail(error);
    }
  }

  get method(): string {
    return this.head.path;
  }

  get metadata(): CallMetadata {
    return this.head.metadata;
  }

  get peer(): string {
    return this.connection.peer;
  }

  get commonName(): string | undefined {
    return this.connection.commonName;
  }

  identified(username: string): void {
    this.username = username;
  }

  /** Made on first use: few handlers ask, and a controller costs more than an empty call. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#cancelled) this.#abort.abort(this.#cancelReason());
    }
    return this.#abort.signal;
  }

  /** The call began. What it throws refuses the call. */
  protected abstract opened(): void;
  /** A request message. Whatever it throws is the answer. */
  protected abstract deliver(message: Buffer): void;
  /** The client ended its side, and all its messages are delivered. */
  protected abstract halfClosed(): void;
  /** Whether further messages are of interest. */
  protected abstract get isListening(): boolean;

  receive(bytes: Buffer, start: number, end: number): void {
    try {
      const position = this.#receiveWhole(bytes, start, end);
      if (position < end && this.isListening) this.#receiveParts(bytes, position, end);
    } catch (error) {
      this.fail(error);
    }
  }

  receiveEnd(): void {
    if (this.answered || !this.isListening) return;
    try {
      if (this.#assembler?.isInside) throw new RpcError(GrpcCode.Internal, 'unexpected EOF');
      this.halfClosed();
    } catch (error) {
      this.fail(error);
    }
  }

  wrote(): void {}

  close(): void {
    this.isClosed = true;
    this.#timer?.cancel();
    this.connection.writer.drop(this);
    this.#dropParts();
    this.#finish(GrpcCode.Canceled);
    if (this.answered || this.#cancelled) return;
    this.#cancelled = true;
    this.#abort?.abort(this.#cancelReason());
  }

  protected runChecks(): void {
    for (const check of this.environment.checks) check(this);
  }

  /** Sends one message. False: it is too large, and the call ended with an error. */
  protected sendMessage(message: Uint8Array): boolean {
    const { writer } = this.connection;
    if (!this.#maySend(message)) return false;
    if (!this.#headersSent) writer.headers(this.id, this.head.responseHeaders, 0);
    this.#headersSent = true;
    writer.message(this, message);
    return true;
  }

  /** Sends the only message of a call, and its status. */
  protected sendReply(message: Uint8Array): void {
    if (this.answered || this.isClosed || !this.#maySend(message)) return;
    this.#answer(GrpcCode.OK);
    this.connection.writer.reply(this, this.head.responseHeaders, message);
  }

  protected sendStatus(status: RpcStatus): void {
    if (this.answered || this.isClosed) return;
    this.#answer(status.code);
    const { writer } = this.connection;
    const trailers = status.code === GrpcCode.OK ? OK_TRAILERS : errorTrailers(status);
    if (this.#headersSent) writer.trailers(this, trailers);
    else writer.trailers(this, Buffer.concat([this.head.responseHeaders, trailers]));
  }

  protected succeed(): void {
    this.sendStatus(OK);
  }

  /** Ends the call with the status of an error. */
  protected fail(error: unknown): void {
    this.sendStatus(statusOf(error));
  }

  #maySend({ length }: Uint8Array): boolean {
    const { maxSendBytes } = this.environment;
    if (length > maxSendBytes) {
      const text = `grpc: trying to send message larger than max (${length} vs. ${maxSendBytes})`;
      this.fail(new RpcError(GrpcCode.ResourceExhausted, text));
      return false;
    }
    this.observer.sent(length);
    return true;
  }

  #answer(code: GrpcCode): void {
    this.answered = true;
    this.#timer?.cancel();
    this.#dropParts();
    this.#finish(code);
  }

  #finish(code: GrpcCode): void {
    if (this.#handled) return;
    this.#handled = true;
    this.connection.openCalls--;
    this.observer.handled(code, this.#started);
  }

  /** Takes the messages that are complete in this frame; the result is where it stopped. */
  #receiveWhole(bytes: Buffer, start: number, end: number): number {
    if (this.#assembler !== undefined) return start;
    const rules = this.#rules;
    let position = start;
    while (end - position >= MESSAGE_PREFIX_BYTES && this.isListening) {
      const next = position + MESSAGE_PREFIX_BYTES + checkPrefix(bytes, position, rules);
      if (next > end || bytes[position] !== 0) break;
      // A copy: who keeps a request must not keep all that came with it.
      const message = Buffer.allocUnsafe(next - position - MESSAGE_PREFIX_BYTES);
      bytes.copy(message, 0, position + MESSAGE_PREFIX_BYTES, next);
      position = next;
      this.deliver(message);
    }
    return position;
  }

  #receiveParts(bytes: Buffer, start: number, end: number): void {
    this.#assembler ??= new MessageAssembler(this.#rules);
    const assembler = this.#assembler;
    const { connection } = this;
    for (let position = start; position < end && this.isListening; ) {
      const before = assembler.heldBytes;
      position = assembler.push(bytes, position, end);
      connection.heldBytes += assembler.heldBytes - before;
      if (connection.heldBytes > MAX_HELD_BYTES) throw tooManyParts();
      if (!assembler.isComplete) return;
      // Trap: taking throws if the message cannot be decompressed, and nobody holds it then, either.
      connection.heldBytes -= assembler.heldBytes;
      const message = assembler.take();
      this.deliver(message);
    }
    if (!assembler.isInside) this.#assembler = undefined;
  }

  get #rules(): MessageRules {
    const { rules } = this.environment;
    const { encoding } = this.head;
    return encoding === '' ? rules : { maxBytes: rules.maxBytes, encoding };
  }

  #dropParts(): void {
    if (this.#assembler === undefined) return;
    this.connection.heldBytes -= this.#assembler.heldBytes;
    this.#assembler = undefined;
  }

  #expireAfter(millis: number): void {
    const { clock } = this.environment;
    this.#timer = clock.setTimer(Math.max(Math.ceil(millis), 0), () => {
      // Timers count from the beginning of a turn of the event loop: they may be early.
      const rest = (this.deadlineMillis ?? 0) - clock.monotonicMillis();
      if (rest > 0) this.#expireAfter(rest);
      else this.#expire();
    });
  }

  /** What is queued cannot be waited for any more. */
  #expire(): void {
    if (this.answered || this.isClosed) return;
    this.#expired = true;
    this.connection.writer.drop(this);
    this.#cancelled = true;
    this.sendStatus(statusOf(lateError(this.head.path)));
    this.#abort?.abort(this.#cancelReason());
  }

  #cancelReason(): RpcError {
    return etcdError(this.#expired ? 'ContextDeadlineExceeded' : 'ContextCanceled');
  }
}

function tooManyParts(): RpcError {
  const text = 'etcdkit: too many incomplete requests on one connection';
  return new RpcError(GrpcCode.ResourceExhausted, text);
}
