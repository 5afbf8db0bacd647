import type { IncomingHttpHeaders } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { asBuffer } from '../../base/bytes.js';
import type { Clock } from '../../platform/clock.js';
import { etcdError, GrpcCode, RpcError, type RpcStatus, statusOf } from '../../proto/errors.js';
import { lateError } from './late-error.js';
import type { PingPolicy } from './ping-policy.js';
import type { MethodObserver, RpcCheck } from './rpc-observer.js';
import type {
  CallContext,
  CallMetadata,
  IdentifiedCall,
  RpcMethod,
  ServerStream,
  StreamHandler,
  UnaryHandler,
  UnaryRecorder,
} from './transport.js';

/** Unsent bytes of a stream from which `send` returns false. */
const SEND_QUEUE_HIGH_BYTES = 128 * 1024;
/** Unsent bytes at which a full stream reports `onDrain`. */
const SEND_QUEUE_LOW_BYTES = 64 * 1024;

const OK: RpcStatus = { code: GrpcCode.OK, message: '' };

/** One HTTP/2 connection, as its calls see it. */
export interface ConnectionState {
  /** Remote address as `host:port`; `@` for a unix socket, as Go prints it. */
  readonly peer: string;
  /** Common name of the client's verified certificate. */
  readonly commonName: string | undefined;
  readonly pings: PingPolicy;
  openCalls: number;
}

/** What the calls of a transport share. */
export interface CallEnvironment {
  readonly clock: Clock;
  readonly checks: readonly RpcCheck[];
}

/** A served method with its observer. */
export interface ServedMethod {
  readonly method: RpcMethod;
  readonly observer: MethodObserver;
}

type GrpcCall = ServerInterceptingCallInterface;
type GrpcStatus = Parameters<GrpcCall['sendStatus']>[0];

class HeaderMetadata implements CallMetadata {
  readonly #headers: IncomingHttpHeaders;

  constructor(headers: IncomingHttpHeaders) {
    this.#headers = headers;
  }

  get(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }
}

/** What unary and streaming calls have in common: context, deadline, status, observation. */
abstract class GrpcJsCall implements IdentifiedCall {
  readonly method: string;
  readonly deadlineMillis: number | undefined;
  username = '';
  protected readonly grpc: GrpcCall;
  protected readonly observer: MethodObserver;
  protected readonly environment: CallEnvironment;
  /** The handler gave its answer: what follows is no cancellation. */
  protected answered = false;
  readonly #connection: ConnectionState;
  readonly #headers: IncomingHttpHeaders;
  readonly #started: number;
  #metadata: CallMetadata | undefined;
  #abort: AbortController | undefined;
  #cancelled = false;
  #expired = false;
  #handled = false;

  constructor(
    served: ServedMethod,
    grpc: GrpcCall,
    connection: ConnectionState,
    headers: IncomingHttpHeaders,
    environment: CallEnvironment,
  ) {
    this.method = served.method.path;
    this.grpc = grpc;
    this.observer = served.observer;
    this.environment = environment;
    this.#connection = connection;
    this.#headers = headers;
    const deadline = grpc.getDeadline();
    const { clock } = environment;
    this.deadlineMillis =
      deadline === Number.POSITIVE_INFINITY
        ? undefined
        : Number(deadline) - clock.wallMillis() + clock.monotonicMillis();
    connection.openCalls += 1;
    this.#started = served.observer.started(this);
    // grpc-js ends calls by itself too (size, deadline): every status passes here on its way out.
    const sendStatus = grpc.sendStatus;
    grpc.sendStatus = (status) => {
      if (!this.answered && status.code === GrpcCode.DeadlineExceeded) this.#expired = true;
      const leaving = inGoWords(status, this.method);
      this.#finish(leaving.code as GrpcCode);
      sendStatus.call(grpc, leaving);
    };
  }

  get metadata(): CallMetadata {
    this.#metadata ??= new HeaderMetadata(this.#headers);
    return this.#metadata;
  }

  get peer(): string {
    return this.#connection.peer;
  }

  get commonName(): string | undefined {
    return this.#connection.commonName;
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

  protected sendMessage(message: Uint8Array, written: () => void): void {
    this.#connection.pings.forgive();
    this.observer.sent(message.length);
    this.grpc.sendMessage(asBuffer(message), written);
  }

  protected sendStatus(status: RpcStatus): void {
    this.answered = true;
    this.#connection.pings.forgive();
    this.grpc.sendStatus({ code: status.code, details: status.message, metadata: null });
  }

  /** Ends the call with the status of an error. */
  protected fail(error: unknown): void {
    const { code, message } = statusOf(error);
    // A lone surrogate would make the percent-encoding of the status throw.
    this.sendStatus({ code, message: Buffer.from(message).toString() });
  }

  protected runChecks(): void {
    for (const check of this.environment.checks) check(this);
  }

  /** The connection is done with the call, in whatever way. */
  protected closed(): void {
    this.#finish(GrpcCode.Canceled);
    if (this.answered || this.#cancelled) return;
    this.#cancelled = true;
    this.#abort?.abort(this.#cancelReason());
  }

  #finish(code: GrpcCode): void {
    if (this.#handled) return;
    this.#handled = true;
    this.#connection.openCalls -= 1;
    this.observer.handled(code, this.#started);
  }

  #cancelReason(): RpcError {
    return etcdError(this.#expired ? 'ContextDeadlineExceeded' : 'ContextCanceled');
  }
}

type UnaryMethod = Extract<RpcMethod, { kind: 'unary' }>;

/** Serves one unary call. */
export class UnaryCall extends GrpcJsCall {
  readonly #handle: UnaryHandler;
  readonly #recorder: UnaryRecorder | undefined;

  constructor(
    { handle, recorder }: UnaryMethod,
    ...rest: ConstructorParameters<typeof GrpcJsCall>
  ) {
    super(...rest);
    this.#handle = handle;
    this.#recorder = recorder;
    this.grpc.start({
      onReceiveMetadata: () => this.grpc.startRead(),
      onReceiveMessage: (message: Buffer) => this.#receive(message),
      onReceiveHalfClose: () => this.fail(noRequestMessage()),
      onCancel: () => this.closed(),
    });
  }

  /** The first message is the request; what a client sends after it is never read. */
  #receive(message: Buffer): void {
    this.observer.received(message.length);
    const recorder = this.#recorder;
    const started = recorder?.started() ?? 0;
    const reply = (response: Uint8Array): void => {
      recorder?.answered(this, message, started, response);
      this.#reply(response);
    };
    const fail = (error: unknown): void => {
      recorder?.refused(this, message, started, error);
      this.fail(error);
    };
    try {
      this.runChecks();
      const answer = this.#handle(message, this);
      if (answer instanceof Uint8Array) reply(answer);
      else answer.then(reply, fail);
    } catch (error) {
      fail(error);
    }
  }

  #reply(bytes: Uint8Array): void {
    this.sendMessage(bytes, ignore);
    // Message and status leave together: waiting for the first would cost a turn of the loop.
    this.sendStatus(OK);
  }
}

const ignore = (): void => {};

function noRequestMessage(): RpcError {
  return new RpcError(
    GrpcCode.Internal,
    'cardinality violation: received no request message from non-client-streaming RPC',
  );
}

/** Serves one streaming call. */
export class StreamingCall extends GrpcJsCall implements ServerStream {
  #onMessage: ((message: Buffer) => void) | undefined;
  #onHalfClose: () => void = ignore;
  readonly #closeListeners: (() => void)[] = [];
  #onDrain: () => void = ignore;
  #halfClosed = false;
  #closed = false;
  #full = false;
  #unsentBytes = 0;

  constructor(handle: StreamHandler, ...rest: ConstructorParameters<typeof GrpcJsCall>) {
    super(...rest);
    this.grpc.start({
      onReceiveMetadata: () => this.#open(handle),
      onReceiveMessage: (message: Buffer) => this.#receive(message),
      onReceiveHalfClose: () => this.#receiveHalfClose(),
      onCancel: () => this.#close(),
    });
  }

  get context(): CallContext {
    return this;
  }

  onMessage(listener: (message: Buffer) => void): void {
    const first = this.#onMessage === undefined;
    this.#onMessage = listener;
    if (first) this.grpc.startRead();
  }

  onHalfClose(listener: () => void): void {
    this.#onHalfClose = listener;
    if (this.#halfClosed) listener();
  }

  onClose(listener: () => void): void {
    if (this.#closed) listener();
    else this.#closeListeners.push(listener);
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  send(message: Uint8Array): boolean {
    if (this.answered || this.#closed) return false;
    const { length } = message;
    this.#unsentBytes += length;
    this.sendMessage(message, () => this.#written(length));
    this.#full ||= this.#unsentBytes >= SEND_QUEUE_HIGH_BYTES;
    return !this.#full;
  }

  end(error?: unknown): void {
    if (this.answered) return;
    if (error === undefined) this.sendStatus(OK);
    else this.fail(error);
  }

  #open(handle: StreamHandler): void {
    try {
      this.runChecks();
      handle(this);
    } catch (error) {
      this.end(error);
    }
  }

  #receive(message: Buffer): void {
    this.observer.received(message.length);
    try {
      this.#onMessage?.(message);
    } catch (error) {
      this.end(error);
      return;
    }
    this.grpc.startRead();
  }

  #receiveHalfClose(): void {
    this.#halfClosed = true;
    this.#onHalfClose();
  }

  #written(length: number): void {
    this.#unsentBytes -= length;
    if (!this.#full || this.#unsentBytes > SEND_QUEUE_LOW_BYTES) return;
    this.#full = false;
    this.#onDrain();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.closed();
    for (const listener of this.#closeListeners) listener();
  }
}

/** Statuses that grpc-js makes up itself, in the words of Go's library, which clients know. */
function inGoWords(status: GrpcStatus, path: string): GrpcStatus {
  if (status.code === GrpcCode.DeadlineExceeded && status.details === 'Deadline exceeded') {
    const { code, message } = lateError(path);
    return { ...status, code: code as number, details: message };
  }
  if (status.code === GrpcCode.ResourceExhausted) {
    const received = /^Received message larger than max \((\d+) vs (\d+)\)$/.exec(status.details);
    if (received !== null) {
      const details = `grpc: received message larger than max (${received[1]} vs. ${received[2]})`;
      return { ...status, details };
    }
    const sent = /^Sent message larger than max \((\d+) vs. (\d+)\)$/.exec(status.details);
    if (sent !== null) {
      // grpc-js counts the five bytes of the frame's head.
      const size = Number(sent[1]) - 5;
      const details = `grpc: trying to send message larger than max (${size} vs. ${sent[2]})`;
      return { ...status, details };
    }
  }
  return status;
}
