import {
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
} from '@grpc/grpc-js';
import { GrpcCode } from '../../proto/errors.js';
import { remoteAddressOf } from '../http/address.js';
import { verifiedCommonName } from '../tls/verified-common-name.js';
import {
  type CallEnvironment,
  type ConnectionState,
  type ServedMethod,
  StreamingCall,
  UnaryCall,
} from './grpc-js-call.js';
import {
  dropEndlessDeadline,
  http2ServerOf,
  type MethodHandler,
  rawHandler,
  replaceMethodLookup,
  takeStreamListener,
} from './grpc-js-internals.js';
import { PingPolicy } from './ping-policy.js';
import { silentRpcObserver } from './rpc-observer.js';
import type { RpcTransport } from './transport.js';
import {
  DEFAULT_KEEP_ALIVE,
  DEFAULT_MAX_RECEIVE_BYTES,
  DEFAULT_MAX_SEND_BYTES,
  DEFAULT_MAX_STREAMS,
  type Http2Listener,
  type KeepAliveOptions,
  LIBRARY_MIN_PING_GAP_MILLIS,
  type RpcTransportOptions,
} from './transport-options.js';
import { unknownMethod } from './unknown-method.js';

/** HTTP/2 error code of a GOAWAY that tells a client to slow down. */
const ENHANCE_YOUR_CALM = 0xb;

/** Serves RPC methods with `@grpc/grpc-js` on connections that a listener accepted. */
export class GrpcJsTransport implements RpcTransport {
  readonly #methods = new Map<string, ServedMethod>();
  readonly #handlers = new Map<string, MethodHandler>();
  readonly #services = new Set<string>();
  readonly #environment: CallEnvironment;
  readonly #minPingGapMillis: number;
  readonly #http: Http2Listener | undefined;
  readonly #injector: ConnectionInjector;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new WeakMap<ServerHttp2Session, ConnectionState>();
  /** Of the stream whose `stream` event is being delivered. */
  #headers: IncomingHttpHeaders = {};
  #connection: ConnectionState | undefined;
  #closing = false;
  #allClosed: (() => void) | undefined;

  constructor(options: RpcTransportOptions) {
    this.#environment = { clock: options.clock, checks: options.checks ?? [] };
    const keepAlive = options.keepAlive ?? DEFAULT_KEEP_ALIVE;
    this.#http = options.http;
    this.#minPingGapMillis = keepAlive.minTimeMillis || LIBRARY_MIN_PING_GAP_MILLIS;
    const observer = options.observer ?? silentRpcObserver;
    for (const method of options.methods) {
      const { path, kind } = method;
      this.#methods.set(path, { method, observer: observer.observeMethod(path, kind) });
      this.#handlers.set(path, rawHandler(path));
      this.#services.add(path.slice(1, path.lastIndexOf('/')));
    }
    const server = new Server({
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': options.maxReceiveBytes ?? DEFAULT_MAX_RECEIVE_BYTES,
      'grpc.max_send_message_length': options.maxSendBytes ?? DEFAULT_MAX_SEND_BYTES,
      'grpc.max_concurrent_streams': options.maxConcurrentStreams ?? DEFAULT_MAX_STREAMS,
      ...serverPings(keepAlive),
      interceptors: [(definition, call) => this.#serve(definition.path, call)],
    });
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    replaceMethodLookup(server, (path) => this.#handlers.get(path) ?? rawHandler(path));
    const http2Server = http2ServerOf(server);
    http2Server.on('session', (session) => this.#watchSession(session));
    const serveCall = takeStreamListener(http2Server);
    http2Server.on('stream', (stream, headers, flags, rawHeaders: readonly string[] = []) => {
      if (this.#http !== undefined && isSecure(stream.session) && !isCall(headers)) {
        serveHttp(this.#http, stream, headers, rawHeaders);
        return;
      }
      dropEndlessDeadline(headers);
      this.#headers = headers;
      this.#connection =
        stream.session === undefined
          ? undefined
          : this.#connections.get(stream.session as ServerHttp2Session);
      serveCall(stream, headers, flags, rawHeaders);
    });
  }

  accept(socket: Socket): void {
    if (this.#closing) {
      socket.destroy();
      return;
    }
    // A client that ends its side is gone. Trap: left half-open, the session would stay for ever.
    socket.allowHalfOpen = false;
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#allClosed?.();
    });
    this.#injector.injectConnection(socket);
  }

  async close(graceMillis: number): Promise<void> {
    this.#closing = true;
    this.#injector.drain(graceMillis);
    if (this.#sockets.size > 0) {
      const closed = new Promise<void>((resolve) => {
        this.#allClosed = resolve;
      });
      const timer = this.#environment.clock.setTimer(graceMillis, () => {
        for (const socket of this.#sockets) socket.destroy();
      });
      await closed;
      timer.cancel();
    }
    this.#injector.destroy();
  }

  #watchSession(session: ServerHttp2Session): void {
    const connection: ConnectionState = {
      peer: remoteAddressOf(session.socket),
      commonName: verifiedCommonName(session.socket),
      pings: new PingPolicy(this.#minPingGapMillis),
      openCalls: 0,
    };
    this.#connections.set(session, connection);
    // Trap: where etcd serves HTTP and calls on one TLS port, it does not judge pings.
    if (this.#http !== undefined && isSecure(session)) return;
    session.on('ping', () => {
      const now = this.#environment.clock.monotonicMillis();
      if (connection.pings.allow(now, connection.openCalls) || session.destroyed) return;
      session.goaway(ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
      // The frame leaves at the end of this turn; then the connection goes.
      setImmediate(() => session.destroy(undefined, ENHANCE_YOUR_CALM));
    });
  }

  /** Takes the call away from grpc-js, which would wrap it in Node streams. */
  #serve(path: string, call: ServerInterceptingCallInterface): ServerInterceptingCall {
    const served = this.#methods.get(path);
    if (served === undefined || this.#connection === undefined) {
      call.sendStatus({
        code: GrpcCode.Unimplemented,
        details: unknownMethod(path, this.#services),
      });
      return new DetachedCall(call);
    }
    const { method } = served;
    const shared = [served, call, this.#connection, this.#headers, this.#environment] as const;
    if (method.kind === 'unary') new UnaryCall(method, ...shared);
    else new StreamingCall(method.handle, ...shared);
    return new DetachedCall(call);
  }
}

/** What grpc-js gets to hold instead of the call: its own handling never starts. */
class DetachedCall extends ServerInterceptingCall {
  override start(): void {}
}

function isSecure(session: { readonly socket: object } | undefined): boolean {
  return session !== undefined && 'encrypted' in session.socket;
}

/** Trap: the content type need only contain it (reference: server 4.1). */
function isCall(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.includes('application/grpc') ?? false;
}

function serveHttp(
  listener: Http2Listener,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): void {
  listener(
    new Http2ServerRequest(stream, headers, {}, rawHeaders),
    new Http2ServerResponse(stream),
  );
}

function serverPings(keepAlive: KeepAliveOptions): Record<string, number> {
  const { intervalMillis, timeoutMillis } = keepAlive;
  if (intervalMillis === 0 || timeoutMillis === 0) return {};
  const longest = 2 ** 31 - 1;
  return {
    'grpc.keepalive_time_ms': Math.min(intervalMillis, longest),
    'grpc.keepalive_timeout_ms': Math.min(timeoutMillis, longest),
  };
}
