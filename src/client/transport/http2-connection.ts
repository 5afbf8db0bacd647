import {
  type ClientHttp2Session,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock, Timer } from '../../platform/clock.js';
import { GrpcCode } from '../../proto/errors.js';
import {
  type ConnectionDiagnosis,
  type ConnectionStage,
  diagnoseFailure,
  diagnoseFirstBytes,
  isTlsAlert,
  tlsExpected,
} from '../diagnosis.js';
import type { Endpoint } from '../endpoint.js';
import { CallError } from '../errors.js';
import { Http2Call, type MessageLimits } from './http2-call.js';
import type { CallListener, CallStart, TransportCall } from './transport.js';

/** What TLS is spoken with; texts or bytes are PEM. */
export interface ClientTlsOptions {
  /** Authorities that may have signed the server's certificate; default: the system's. */
  readonly ca?: string | Buffer;
  /** The client's certificate and key; both or none. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Accept any certificate. */
  readonly insecureSkipVerify?: boolean;
  /** Name to check the certificate against; default: the endpoint's host. */
  readonly serverName?: string;
}

/** How connections are made and watched. */
export interface ConnectionOptions extends MessageLimits {
  readonly clock: Clock;
  readonly tls: ClientTlsOptions;
  /** Interval of pings on a connection with open calls, in milliseconds; undefined: no pings. */
  readonly keepaliveMillis: number | undefined;
  /** How long a ping may go unanswered before the connection counts as broken. */
  readonly keepaliveTimeoutMillis: number;
}

/** Bound of one connection attempt up to the server's SETTINGS frame; grpc's minimum. */
const CONNECT_TIMEOUT_MILLIS = 20_000;
/** How long the probe waits for the first bytes of a server that is not HTTP/2. */
const PROBE_TIMEOUT_MILLIS = 500;
/** Bytes a stream may hold that the caller has not read yet. */
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;
/** Bytes all the streams of a connection may hold together. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;

/** A connection could not be made. */
export class ConnectFailure extends Error {
  readonly diagnosis: ConnectionDiagnosis;

  constructor(diagnosis: ConnectionDiagnosis) {
    super(diagnosis.problem);
    this.name = 'ConnectFailure';
    this.diagnosis = diagnosis;
  }
}

/**
 * Connects to one endpoint. Ready means that the server has sent its HTTP/2 settings: no request
 * is ever sent to something that is not an HTTP/2 server.
 *
 * @throws ConnectFailure
 */
export async function connectEndpoint(
  endpoint: Endpoint,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Http2Connection> {
  if (endpoint.target.kind === 'invalid') {
    const problem = endpoint.target.reason;
    throw new ConnectFailure({ endpoint: endpoint.text, layer: 'address', problem });
  }
  const attempt = new ConnectAttempt(endpoint, options, signal);
  try {
    const session = await attempt.run();
    return new Http2Connection(endpoint, session, options);
  } catch (error) {
    throw new ConnectFailure(await attempt.diagnose(error instanceof Error ? error : undefined));
  }
}

function dial(endpoint: Endpoint, tls: ClientTlsOptions): Socket {
  const { target } = endpoint;
  const address =
    target.kind === 'unix'
      ? { path: target.path }
      : target.kind === 'tcp'
        ? { host: target.host, port: target.port }
        : undefined;
  if (address === undefined) {
    throw new Error(`cannot dial ${endpoint.text}`);
  }
  if (!endpoint.secure) {
    return connectTcp({ ...address, noDelay: true });
  }
  const host = target.kind === 'tcp' ? target.host : 'localhost';
  return connectTls({
    ...address,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    // An IP address is not a legal server name indication; the check uses `host` all the same.
    ...(isIpAddress(host) && tls.serverName === undefined
      ? { host }
      : { servername: tls.serverName ?? host }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  });
}

function isIpAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}

/** One attempt to connect: remembers how far it came. */
class ConnectAttempt {
  private readonly endpoint: Endpoint;
  private readonly options: ConnectionOptions;
  private readonly signal: AbortSignal;
  private stage: ConnectionStage = 'tcp';

  constructor(endpoint: Endpoint, options: ConnectionOptions, signal: AbortSignal) {
    this.endpoint = endpoint;
    this.options = options;
    this.signal = signal;
  }

  run(): Promise<ClientHttp2Session> {
    return new Promise((resolve, reject) => {
      const socket = dial(this.endpoint, this.options.tls);
      const settle = (error: Error | undefined, session?: ClientHttp2Session): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', onAbort);
        if (session !== undefined && error === undefined) {
          resolve(session);
          return;
        }
        socket.destroy();
        reject(error ?? new Error('connection closed'));
      };
      const onAbort = (): void => settle(new Error('client closed'));
      const timer = this.options.clock.setTimer(CONNECT_TIMEOUT_MILLIS, () =>
        settle(Object.assign(new Error('connection timed out'), { code: 'ETIMEDOUT' })),
      );
      this.signal.addEventListener('abort', onAbort, { once: true });
      socket.on('error', settle);
      socket.on('close', () => settle(undefined));
      socket.once('connect', () => {
        this.stage = this.endpoint.secure ? 'tls' : 'http2';
      });
      socket.once(this.endpoint.secure ? 'secureConnect' : 'connect', () => {
        this.stage = 'http2';
        this.openSession(socket, settle);
      });
    });
  }

  private openSession(
    socket: Socket,
    settle: (error: Error | undefined, session?: ClientHttp2Session) => void,
  ): void {
    const session = connectHttp2(`http://${this.endpoint.authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    });
    session.on('error', settle);
    session.once('close', () => settle(undefined));
    session.once('remoteSettings', () => settle(undefined, session));
  }

  async diagnose(error: Error | undefined): Promise<ConnectionDiagnosis> {
    const { text, secure } = this.endpoint;
    if (this.stage !== 'http2' || secure || this.signal.aborted) {
      return diagnoseFailure(text, this.stage, error);
    }
    const firstBytes = await this.probeFirstBytes();
    // Trap: a TLS server hangs up on plaintext, usually without a word.
    if (firstBytes.length === 0 && (await this.speaksTls())) {
      return tlsExpected(text);
    }
    return diagnoseFirstBytes(text, firstBytes);
  }

  /** True if the server answers a TLS greeting in TLS, be it with a refusal. */
  private speaksTls(): Promise<boolean> {
    const secure = { ...this.endpoint, secure: true };
    const socket = dial(secure, { ...this.options.tls, insecureSkipVerify: true });
    return new Promise((resolve) => {
      const settle = (answer: boolean): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', giveUp);
        socket.destroy();
        resolve(answer);
      };
      const giveUp = (): void => settle(false);
      const timer = this.options.clock.setTimer(PROBE_TIMEOUT_MILLIS, giveUp);
      this.signal.addEventListener('abort', giveUp, { once: true });
      socket.on('error', (error: NodeJS.ErrnoException) => settle(isTlsAlert(error)));
      socket.on('close', giveUp);
      socket.once('secureConnect', () => settle(true));
    });
  }

  /** Sends the start of a plaintext HTTP/2 connection once more and looks at the raw answer. */
  private probeFirstBytes(): Promise<Buffer> {
    return new Promise((resolve) => {
      const socket = dial(this.endpoint, this.options.tls);
      const settle = (bytes: Buffer): void => {
        timer.cancel();
        this.signal.removeEventListener('abort', giveUp);
        socket.destroy();
        resolve(bytes);
      };
      const giveUp = (): void => settle(Buffer.alloc(0));
      const timer = this.options.clock.setTimer(PROBE_TIMEOUT_MILLIS, giveUp);
      this.signal.addEventListener('abort', giveUp, { once: true });
      socket.on('error', giveUp);
      socket.on('close', giveUp);
      socket.once('data', settle);
      socket.once('connect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    });
  }
}

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
