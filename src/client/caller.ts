import type { Logger } from '../base/logger.js';
import { API_VERSION } from '../base/version.js';
import type { Clock } from '../platform/clock.js';
import type { Random } from '../platform/random.js';
import { GrpcCode, grpcErrorText, RpcError } from '../proto/errors.js';
import { type RpcDefinition, SERVICES } from '../proto/services.js';
import { AsyncQueue } from './async-queue.js';
import { type CallBounds, CallContext } from './call-context.js';
import type { Credentials } from './credentials.js';
import { CallError, deadlineError } from './errors.js';
import { backoffMillis, isContextCode, isSafeRetry, MAX_UNARY_ATTEMPTS } from './retry-policy.js';
import type { CallStart, ClientTransport, TransportCall } from './transport/transport.js';

/** Messages of a server stream that may wait for their reader. */
const STREAM_QUEUE_BOUND = 16;

/** Options of one call. */
export interface CallOptions extends CallBounds {
  /** Fail with `etcdserver: no leader` if the member sees no leader. */
  readonly requireLeader?: boolean;
}

/** Hears what a bidirectional stream brings. */
export interface StreamListener<Response> {
  onMessage(message: Response): void;
  /** The stream is over; undefined: status OK. Not called after `cancel`. */
  onClose(error: RpcError | undefined): void;
}

/** The sending side of a bidirectional stream. */
export interface StreamCall<Request> {
  send(request: Request): void;
  halfClose(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}

export interface CallerOptions {
  readonly transport: ClientTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly credentials: Credentials;
  /** Bound of a login, in milliseconds. */
  readonly dialTimeoutMillis: number;
  /** Names the client in log lines. */
  readonly target: string;
}

/** Makes calls: metadata, codecs, retries and tokens on top of a transport. */
export class Caller {
  readonly transport: ClientTransport;
  readonly clock: Clock;
  readonly random: Random;
  private readonly options: CallerOptions;
  private loggedIn = false;

  constructor(options: CallerOptions) {
    this.options = options;
    this.transport = options.transport;
    this.clock = options.clock;
    this.random = options.random;
  }

  /**
   * One unary call with all its attempts (reference: api 8).
   *
   * @throws EtcdError, RpcError for what the server answered; CallError for what went wrong before.
   */
  async call<Request, Response>(
    method: RpcDefinition<Request, Response, 'unary'>,
    request: Partial<Request>,
    options: CallOptions = {},
  ): Promise<Response> {
    const bytes = method.request.encode(method.request.create(request)).finish();
    const context = new CallContext(this.clock, options);
    try {
      await this.ensureToken(method.path);
      return await this.callRepeatedly(method, bytes, options, context);
    } finally {
      context.dispose();
    }
  }

  /** Logs in now if a user and a password are configured. */
  async authenticate(): Promise<void> {
    const { credentials, dialTimeoutMillis } = this.options;
    const { login } = credentials;
    if (login === undefined) {
      return;
    }
    await credentials.refresh(async () => {
      const deadlineMillis = this.clock.monotonicMillis() + dialTimeoutMillis;
      return (await this.call(SERVICES.auth.authenticate, login, { deadlineMillis })).token;
    });
    this.loggedIn = true;
  }

  /** A stream of responses to one request. Leaving the iteration early cancels it. */
  serverStream<Request, Response>(
    method: RpcDefinition<Request, Response, 'serverStream'>,
    request: Partial<Request>,
    options: CallOptions = {},
  ): AsyncIterableIterator<Response> {
    const bytes = method.request.encode(method.request.create(request)).finish();
    const context = new CallContext(this.clock, options);
    let call: TransportCall | undefined;
    const queue = new AsyncQueue<Response>(STREAM_QUEUE_BOUND, {
      onFull: () => call?.pause(),
      onDrained: () => call?.resume(),
      onAbandoned: () => {
        call?.cancel();
        context.dispose();
      },
    });
    const end = (error: unknown): void => {
      context.dispose();
      queue.end(error);
    };
    const attempt = async (number: number): Promise<void> => {
      let started = false;
      const opened = await this.open(method.path, options, context, {
        onMessage: (message) => {
          started = true;
          decodeInto(
            method,
            message,
            (response) => queue.push(response),
            (error) => {
              call?.cancel();
              end(error);
            },
          );
        },
        onClose: (error) => {
          const again =
            error !== undefined && !started && this.mayRepeat(method.path, error, context, number);
          if (again) {
            this.pauseBefore(number + 1, context)
              .then(() => attempt(number + 1))
              .catch(end);
          } else {
            end(error);
          }
        },
      });
      call = opened;
      opened.send(bytes);
      opened.halfClose();
    };
    this.ensureToken(method.path)
      .then(() => attempt(0))
      .catch(end);
    return queue;
  }

  /** Opens a bidirectional stream with a fresh token. It is not retried. */
  async bidiStream<Request, Response>(
    method: RpcDefinition<Request, Response, 'bidiStream'>,
    options: CallOptions,
    listener: StreamListener<Response>,
  ): Promise<StreamCall<Request>> {
    const context = new CallContext(this.clock, options);
    try {
      await this.ensureToken(method.path);
      const call = await this.open(method.path, options, context, {
        onMessage: (message) =>
          decodeInto(
            method,
            message,
            (response) => listener.onMessage(response),
            (error) => {
              context.dispose();
              call.cancel();
              listener.onClose(error);
            },
          ),
        onClose: (error) => {
          context.dispose();
          listener.onClose(error);
        },
      });
      return {
        send: (request) => call.send(method.request.encode(request).finish()),
        halfClose: () => call.halfClose(),
        cancel: () => {
          context.dispose();
          call.cancel();
        },
        pause: () => call.pause(),
        resume: () => call.resume(),
      };
    } catch (error) {
      context.dispose();
      throw error;
    }
  }

  private async callRepeatedly<Request, Response>(
    method: RpcDefinition<Request, Response, 'unary'>,
    bytes: Uint8Array,
    options: CallOptions,
    context: CallContext,
  ): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      await this.pauseBefore(attempt, context);
      const outcome = await this.attempt(method.path, bytes, options, context);
      if (outcome.error === undefined) {
        return method.response.decode(outcome.message);
      }
      this.logFailure(method.path, attempt, outcome.peer, outcome.error);
      const last = attempt + 1 >= MAX_UNARY_ATTEMPTS;
      if (!last && this.shouldLogIn(method.path, outcome.error)) {
        await this.authenticate();
      } else if (!this.mayRepeat(method.path, outcome.error, context, attempt)) {
        throw outcome.error;
      }
    }
  }

  /** One attempt; never rejects. */
  private attempt(
    path: string,
    bytes: Uint8Array,
    options: CallOptions,
    context: CallContext,
  ): Promise<AttemptOutcome> {
    return new Promise((resolve) => {
      let answer: Buffer | undefined;
      let peer = '';
      const fail = (error: RpcError): void => resolve({ error: explain(error, peer), peer });
      const listener = {
        onMessage: (message: Buffer) => {
          answer = message;
        },
        onClose: (error: RpcError | undefined) => {
          if (error !== undefined) {
            fail(error);
          } else if (answer === undefined) {
            fail(new CallError(GrpcCode.Internal, 'the server sent no response message'));
          } else {
            resolve({ error: undefined, message: answer });
          }
        },
      };
      this.open(path, options, context, listener).then(
        (call) => {
          peer = call.peer;
          call.send(bytes);
          call.halfClose();
        },
        (error: unknown) => fail(toRpcError(error)),
      );
    });
  }

  private open(
    path: string,
    options: CallOptions,
    context: CallContext,
    listener: Parameters<ClientTransport['open']>[1],
  ): Promise<TransportCall> {
    const start: CallStart = { path, metadata: this.metadata(path, options), context };
    return this.transport.open(start, listener);
  }

  private metadata(path: string, options: CallOptions): Record<string, string> {
    const metadata: Record<string, string> = { 'client-api-version': API_VERSION };
    const { token } = this.options.credentials;
    if (token !== undefined && path !== AUTHENTICATE_PATH) {
      metadata.token = token;
    }
    if (options.requireLeader === true) {
      metadata.hasleader = 'true';
    }
    return metadata;
  }

  private async ensureToken(path: string): Promise<void> {
    if (path !== AUTHENTICATE_PATH && !this.loggedIn) {
      await this.authenticate();
    }
  }

  private shouldLogIn(path: string, error: RpcError): boolean {
    return path !== AUTHENTICATE_PATH && this.options.credentials.needsRefresh(error);
  }

  private mayRepeat(path: string, error: RpcError, context: CallContext, attempt: number): boolean {
    if (context.ended() !== undefined || attempt + 1 >= MAX_UNARY_ATTEMPTS) {
      return false;
    }
    if (this.transport.closed) {
      return false;
    }
    return isContextCode(error) || isSafeRetry(path, error, this.transport.endpointCount);
  }

  private async pauseBefore(attempt: number, context: CallContext): Promise<void> {
    const pause = backoffMillis(attempt, this.transport.endpointCount, this.random);
    if (pause > 0) {
      await context.sleep(pause);
    }
  }

  private logFailure(path: string, attempt: number, peer: string, error: RpcError): void {
    this.options.logger.warn('retrying of unary invoker failed', {
      target: this.options.target,
      peer,
      method: path,
      attempt,
      error: grpcErrorText(error),
    });
  }
}

type AttemptOutcome =
  | { readonly error: undefined; readonly message: Buffer }
  | { readonly error: RpcError; readonly peer: string };

const AUTHENTICATE_PATH = SERVICES.auth.authenticate.path;

/** Hands over a decoded message, or the error that says why it is not one. */
function decodeInto<Request, Response>(
  method: RpcDefinition<Request, Response>,
  message: Buffer,
  take: (response: Response) => void,
  fail: (error: RpcError) => void,
): void {
  let response: Response;
  try {
    response = method.response.decode(message);
  } catch (error) {
    fail(toRpcError(error));
    return;
  }
  take(response);
}

function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) {
    return error;
  }
  return new CallError(GrpcCode.Internal, error instanceof Error ? error.message : String(error));
}

/** A deadline that passed while a server had the request says so. */
function explain(error: RpcError, peer: string): RpcError {
  const silent =
    error instanceof CallError &&
    error.contextEnded &&
    error.code === GrpcCode.DeadlineExceeded &&
    error.diagnoses.length === 0;
  if (!silent || peer === '') {
    return error;
  }
  return deadlineError([
    {
      endpoint: peer,
      layer: 'deadline',
      problem: 'the server took the request but did not answer in time',
      hint: 'has the cluster a leader and a quorum?',
    },
  ]);
}
