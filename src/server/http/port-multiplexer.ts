import http from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '../../base/logger.js';
import type { Clock } from '../../platform/clock.js';
import type { RpcTransport } from '../rpc/transport.js';
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
}

/**
 * Serves gRPC and HTTP/1 on the same plaintext listeners, told apart by a connection's first bytes
 * (reference: server 4.1). Owns its listeners and every connection that it accepted.
 */
export class PortMultiplexer {
  readonly #options: PortMultiplexerOptions;
  readonly #http: http.Server;
  readonly #listeners: Listener[] = [];
  /** Connections of which we do not know yet what they speak. */
  readonly #undecided = new Set<Socket>();
  /** Those, and the ones that speak HTTP/1. */
  readonly #sockets = new Set<Socket>();
  #started = false;
  #closing = false;
  #allClosed: (() => void) | undefined;

  constructor(options: PortMultiplexerOptions) {
    this.#options = options;
    this.#http = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, options.http);
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
   * @throws ListenError
   */
  async listen(url: MemberUrl): Promise<Listener> {
    const listener = await listen(url, {
      maxConnections: this.#options.maxConnections,
      onConnection: (socket) => this.#accept(socket),
    });
    this.#listeners.push(listener);
    return listener;
  }

  /** Starts to serve. */
  start(): void {
    this.#started = true;
    for (const socket of this.#undecided) this.#sniff(socket);
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
    for (const socket of this.#undecided) socket.destroy();
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

  #accept(socket: Socket): void {
    if (this.#closing) {
      socket.destroy();
      return;
    }
    socket.on('error', (error) => {
      this.#options.logger.debug('connection failed', {
        'remote-addr': remoteAddressOf(socket),
        error,
      });
    });
    this.#sockets.add(socket);
    socket.once('close', () => this.#forget(socket));
    if (!this.#started && this.#undecided.size >= MAX_PARKED_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.#undecided.add(socket);
    if (this.#started) this.#sniff(socket);
  }

  #forget(socket: Socket): void {
    this.#undecided.delete(socket);
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) this.#allClosed?.();
  }

  #sniff(socket: Socket): void {
    let head: Buffer = Buffer.alloc(0);
    const timer = this.#options.clock.setTimer(HEADER_TIMEOUT_MILLIS, () => socket.destroy());
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
      if (protocol === 'unknown') socket.destroy();
      else this.#route(socket, head, protocol);
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
