import http from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { RpcTransport } from '../rpc/transport.js';
import { type ListenerTls, TlsAcceptor } from '../tls/tls-acceptor.js';
import { type MemberUrl, remoteAddressOf } from './address.js';
import { type Listener, listen } from './listener.js';
import { sniffProtocol } from './protocol-sniffer.js';

/** How long a client may take to show what it speaks, and to send the headers of a request. */
const HEADER_TIMEOUT_MILLIS = 5 * 60 * 1000;

/** Connections that wait for {@link PortMultiplexer.start}; more are closed at once. */
const MAX_PARKED_CONNECTIONS = 4096;

export interface PortMultiplexerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Serves connections that speak HTTP/2; absent: they are closed. */
  readonly rpc?: RpcTransport;
  /** Serves HTTP/1.x requests; absent: their connections are closed. */
  readonly http?: http.RequestListener;
  /** Connections per listener; more are closed at once. */
  readonly maxConnections?: number | undefined;
  /**
   * How long a connection may be without a request, ms; absent: for ever, but for the first request
   * of a connection, which may take five minutes.
   */
  readonly idleMillis?: number;
}

/** What is spoken on a listener. */
interface Security {
  /** Undefined: no TLS. */
  readonly tls: TlsAcceptor | undefined;
  /** Plaintext too, or alone. */
  readonly isPlain: boolean;
}

const PLAINTEXT: Security = { tls: undefined, isPlain: true };

/**
 * Serves gRPC and HTTP on the same listeners: in plaintext they are told apart by a connection's
 * first bytes, in TLS by the protocol that the handshake agreed on (reference: server 4.1). Owns
 * its listeners and every connection that it accepted.
 */
export class PortMultiplexer {
  readonly #options: PortMultiplexerOptions;
  readonly #http: http.Server;
  readonly #listeners: Listener[] = [];
  /** Connections of which we do not know yet what they speak. */
  readonly #undecided = new Map<Socket, Security>();
  /** Those, and the ones that speak HTTP/1. */
  readonly #sockets = new Set<Socket>();
  #started = false;
  #closing = false;
  #allClosed: (() => void) | undefined;

  constructor(options: PortMultiplexerOptions) {
    this.#options = options;
    const { idleMillis: keepAliveTimeout = 0 } = options;
    this.#http = http.createServer({ keepAliveTimeout, requestTimeout: 0 }, options.http);
    this.#http.on('request', (_request, response) => {
      response.once('close', () => {
        // A kept-alive connection has to go with the last answer, which is out after this turn.
        if (this.#closing) setImmediate(() => this.#http.closeIdleConnections());
      });
    });
    this.#http.headersTimeout = HEADER_TIMEOUT_MILLIS;
    // Node starts to track connections and their timeouts at this event, and this server has no
    // port of its own.
    this.#http.emit('listening');
  }

  /**
   * Binds a listener. Connections are accepted at once but not served before {@link start}, as if
   * they waited in the kernel.
   * @param tls undefined: plaintext
   * @param isPlain with TLS: plaintext is served on the same address, too
   * @throws ListenError
   */
  async listen(url: MemberUrl, tls?: ListenerTls, isPlain = false): Promise<Listener> {
    const security = tls === undefined ? PLAINTEXT : { tls: this.#acceptor(tls), isPlain };
    const listener = await listen(url, {
      maxConnections: this.#options.maxConnections,
      onConnection: (socket) => this.#accept(socket, security),
    });
    this.#listeners.push(listener);
    return listener;
  }

  /** Trap: clients that offer HTTP/1 alone, or nothing, are served too. */
  #acceptor(tls: ListenerTls): TlsAcceptor {
    const { rpc, http: handler, logger } = this.#options;
    const protocols = [
      ...(rpc === undefined ? [] : ['h2']),
      ...(rpc !== undefined && handler === undefined ? [] : ['http/1.1']),
    ];
    return new TlsAcceptor({
      tls,
      protocols,
      logger,
      onSecure: (socket, raw) => this.#acceptSecure(socket, raw),
    });
  }

  /** Starts to serve. */
  start(): void {
    this.#started = true;
    for (const [socket, security] of this.#undecided) this.#decide(socket, security);
  }

  /**
   * Stops accepting, lets open requests and calls finish for up to `graceMillis`, then cuts them
   * off. Closes the RPC transport too.
   */
  async close(graceMillis: number): Promise<void> {
    this.#closing = true;
    const { rpc } = this.#options;
    await Promise.all([
      ...this.#listeners.map((listener) => listener.close()),
      this.#closeHttp(graceMillis),
      rpc?.close(graceMillis),
    ]);
  }

  async #closeHttp(graceMillis: number): Promise<void> {
    for (const socket of this.#undecided.keys()) socket.destroy();
    this.#http.close();
    this.#http.closeIdleConnections();
    if (this.#sockets.size === 0) return;
    const closed = new Promise<void>((resolve) => {
      this.#allClosed = resolve;
    });
    const timer = this.#options.clock.setTimer(graceMillis, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    timer.cancel();
  }

  #accept(socket: Socket, security: Security): void {
    if (this.#closing) {
      socket.destroy();
      return;
    }
    this.#track(socket);
    if (!this.#started && this.#undecided.size >= MAX_PARKED_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.#undecided.set(socket, security);
    if (this.#started) this.#decide(socket, security);
  }

  #track(socket: Socket): void {
    socket.on('error', (error) => {
      this.#options.logger.debug('connection failed', {
        'remote-addr': remoteAddressOf(socket),
        error,
      });
    });
    this.#sockets.add(socket);
    socket.once('close', () => this.#forget(socket));
  }

  #decide(socket: Socket, { tls, isPlain }: Security): void {
    if (isPlain) this.#sniff(socket, tls);
    else tls?.accept(socket);
  }

  /** A connection whose handshake is over takes the place of the one beneath it. */
  #acceptSecure(socket: TLSSocket, raw: Socket | undefined): void {
    const { rpc, http: handler } = this.#options;
    if (this.#closing) {
      socket.destroy();
      return;
    }
    this.#track(socket);
    if (raw !== undefined) this.#forget(raw);
    if (socket.alpnProtocol === 'h2' && rpc !== undefined) {
      this.#forget(socket);
      rpc.accept(socket);
    } else if (handler !== undefined) {
      this.#http.emit('connection', socket);
    } else {
      // The end of a TLS 1.2 handshake is still on its way out.
      socket.destroySoon();
    }
  }

  #forget(socket: Socket): void {
    this.#undecided.delete(socket);
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#allClosed?.();
  }

  #sniff(socket: Socket, tls: TlsAcceptor | undefined): void {
    let head: Buffer = Buffer.alloc(0);
    const { clock, idleMillis = HEADER_TIMEOUT_MILLIS } = this.#options;
    const timer = clock.setTimer(idleMillis, () => socket.destroy());
    const stop = (): void => {
      timer.cancel();
      socket.off('readable', onReadable);
      socket.off('end', onEnd);
      socket.off('close', stop);
    };
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const protocol = sniffProtocol(head);
      if (protocol === 'undecided') return;
      stop();
      this.#undecided.delete(socket);
      if (protocol === 'tls' && tls !== undefined) {
        this.#undecided.set(socket, PLAINTEXT);
        socket.unshift(head);
        tls.accept(socket);
      } else if (protocol === 'http1' || protocol === 'http2') {
        this.#route(socket, head, protocol);
      } else {
        socket.destroy();
      }
    };
    const onEnd = (): void => void socket.destroy();
    socket.on('readable', onReadable);
    socket.on('end', onEnd);
    socket.on('close', stop);
  }

  #route(socket: Socket, head: Buffer, protocol: 'http1' | 'http2'): void {
    const { rpc, http: handler } = this.#options;
    if (this.#closing) {
      socket.destroy();
    } else if (protocol === 'http2' && rpc !== undefined) {
      socket.unshift(head);
      this.#forget(socket);
      rpc.accept(socket);
    } else if (protocol === 'http1' && handler !== undefined) {
      socket.unshift(head);
      this.#http.emit('connection', socket);
    } else {
      socket.destroy();
    }
  }
}
