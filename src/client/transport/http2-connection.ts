import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import type { Timer } from '../../platform/clock.js';
import { GrpcCode } from '../../proto/errors.js';
import type { Endpoint } from '../endpoint.js';
import { CallError } from '../errors.js';
import type { ConnectionOptions } from './connection-options.js';
import { Http2Call } from './http2-call.js';
import type { CallListener, CallStart, TransportCall } from './transport.js';

/** Bytes all the streams of a connection may hold together. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

/** A connection on which calls can be opened, until it is lost or the server says goodbye. */
export class Http2Connection {
  readonly endpoint: Endpoint;
  private readonly session: ClientHttp2Session;
  private readonly options: ConnectionOptions;
  private readonly peer: string;
  private readonly keepalive: Keepalive;
  private lossError: CallError | undefined;
  private lostListener: (() => void) | undefined;
  private usable = true;

  constructor(endpoint: Endpoint, session: ClientHttp2Session, options: ConnectionOptions) {
    this.endpoint = endpoint;
    this.session = session;
    this.options = options;
    this.peer = endpoint.authority;
    this.keepalive = new Keepalive(session, options, (error) => this.fail(error));
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.removeAllListeners('error');
    session.on('error', (error: Error) => this.fail(connectionLost(error.message)));
    session.on('goaway', () => this.retire());
    session.on('close', () => this.fail(connectionLost('EOF')));
  }

  /** `listener` is called once when no more calls can be opened here. */
  onUnusable(listener: () => void): void {
    this.lostListener = listener;
    if (!this.usable) {
      listener();
    }
  }

  /** `listener` is called once when the last call is over and the connection is gone. */
  onClosed(listener: () => void): void {
    if (this.session.destroyed) {
      listener();
    } else {
      this.session.once('close', listener);
    }
  }

  get isUsable(): boolean {
    return this.usable && !this.session.closed && !this.session.destroyed;
  }

  openCall(start: CallStart, listener: CallListener): TransportCall {
    const stream = this.session.request(this.headers(start), { endStream: false });
    this.keepalive.callOpened();
    stream.on('close', () => this.keepalive.callClosed());
    return new Http2Call(stream, this.peer, start.context, this.options, listener, () =>
      this.connectionError(),
    );
  }

  /** Ends the connection and all its calls. */
  destroy(): void {
    this.fail(new CallError(GrpcCode.Canceled, 'grpc: the client connection is closing'));
    this.session.destroy();
  }

  private headers(start: CallStart): OutgoingHttpHeaders {
    const remaining = start.context.remainingMillis();
    return {
      ':method': 'POST',
      ':scheme': this.endpoint.secure ? 'https' : 'http',
      ':path': start.path,
      ':authority': this.endpoint.authority,
      'content-type': 'application/grpc',
      'user-agent': 'etcdkit',
      te: 'trailers',
      ...(remaining === undefined ? {} : { 'grpc-timeout': timeoutHeader(remaining) }),
      ...start.metadata,
    };
  }

  /**
   * Trap: when the socket closes, Node ends the streams as if the server had cancelled them, before
   * the session tells that it is closed.
   */
  private connectionError(): CallError | undefined {
    return this.lossError ?? (this.session.destroyed ? connectionLost('EOF') : undefined);
  }

  /** No new calls here; those that are open go on. */
  private retire(): void {
    if (this.usable) {
      this.usable = false;
      this.lostListener?.();
    }
  }

  private fail(error: CallError): void {
    this.lossError ??= error;
    this.keepalive.stop();
    this.retire();
  }
}

function connectionLost(cause: string): CallError {
  return new CallError(GrpcCode.Unavailable, `error reading from server: ${cause}`);
}

const MAX_TIMEOUT_DIGITS = 99_999_999;

/** The `grpc-timeout` header: at most eight digits and a unit. */
export function timeoutHeader(millis: number): string {
  const micros = Math.max(1, Math.ceil(millis * 1000));
  if (micros <= MAX_TIMEOUT_DIGITS) {
    return `${micros}u`;
  }
  const rounded = Math.ceil(millis);
  if (rounded <= MAX_TIMEOUT_DIGITS) {
    return `${rounded}m`;
  }
  return `${Math.min(Math.ceil(millis / 1000), MAX_TIMEOUT_DIGITS)}S`;
}

/** Pings while calls are open; servers forbid pings on an idle connection (reference: api 5). */
class Keepalive {
  private readonly session: ClientHttp2Session;
  private readonly options: ConnectionOptions;
  private readonly onDead: (error: CallError) => void;
  private openCalls = 0;
  private interval: Timer | undefined;
  private timeout: Timer | undefined;

  constructor(
    session: ClientHttp2Session,
    options: ConnectionOptions,
    onDead: (error: CallError) => void,
  ) {
    this.session = session;
    this.options = options;
    this.onDead = onDead;
  }

  callOpened(): void {
    this.openCalls++;
    const { keepaliveMillis, clock } = this.options;
    if (keepaliveMillis !== undefined && this.interval === undefined) {
      this.interval = clock.setPeriodic(keepaliveMillis, () => this.ping());
    }
  }

  callClosed(): void {
    this.openCalls--;
    if (this.openCalls === 0) {
      this.stop();
    }
  }

  stop(): void {
    this.interval?.cancel();
    this.timeout?.cancel();
    this.interval = undefined;
    this.timeout = undefined;
  }

  private ping(): void {
    if (this.timeout !== undefined || this.session.destroyed) {
      return;
    }
    this.timeout = this.options.clock.setTimer(this.options.keepaliveTimeoutMillis, () => {
      const text = 'keepalive ping failed to receive ACK within timeout';
      this.onDead(new CallError(GrpcCode.Unavailable, text));
      this.session.destroy();
    });
    this.session.ping(() => {
      this.timeout?.cancel();
      this.timeout = undefined;
    });
  }
}
