import type { Socket } from 'node:net';
import type { Clock } from '../../../platform/clock.js';
import { GrpcCode } from '../../../proto/errors.js';
import { PingPolicy } from '../ping-policy.js';
import { silentRpcObserver } from '../rpc-observer.js';
import type { RpcTransport } from '../transport.js';
import {
  DEFAULT_KEEP_ALIVE,
  DEFAULT_MAX_RECEIVE_BYTES,
  DEFAULT_MAX_SEND_BYTES,
  DEFAULT_MAX_STREAMS,
  type Http2Listener,
  type KeepAliveOptions,
  LIBRARY_MIN_PING_GAP_MILLIS,
  type RpcTransportOptions,
} from '../transport-options.js';
import { unknownMethod } from '../unknown-method.js';
import type { CallConnection, CallEnvironment, Http2Call, ServedMethod } from './http2-call.js';
import { Http2Connection } from './http2-connection.js';
import type { Refusal, RequestHead } from './request-head.js';
import { StreamingCall } from './streaming-call.js';
import type { TransportCore } from './transport-core.js';
import { UnaryCall } from './unary-call.js';

/**
 * Serves RPC methods with an HTTP/2 of our own, on connections that a listener accepted. It does
 * only what gRPC needs, and so costs a small part of what a general library does.
 */
export class Http2Transport implements RpcTransport, TransportCore {
  readonly clock: Clock;
  readonly keepAlive: KeepAliveOptions;
  readonly maxConcurrentStreams: number;
  readonly #methods = new Map<string, ServedMethod>();
  readonly #services = new Set<string>();
  readonly #environment: CallEnvironment;
  readonly #http: Http2Listener | undefined;
  readonly #connections = new Set<Http2Connection>();
  #isClosing = false;
  readonly #whenEmpty: (() => void)[] = [];

  constructor(options: RpcTransportOptions) {
    this.clock = options.clock;
    this.#http = options.http;
    this.keepAlive = options.keepAlive ?? DEFAULT_KEEP_ALIVE;
    this.maxConcurrentStreams = options.maxConcurrentStreams ?? DEFAULT_MAX_STREAMS;
    this.#environment = {
      clock: options.clock,
      checks: options.checks ?? [],
      rules: { maxBytes: options.maxReceiveBytes ?? DEFAULT_MAX_RECEIVE_BYTES, encoding: '' },
      maxSendBytes: options.maxSendBytes ?? DEFAULT_MAX_SEND_BYTES,
    };
    const observer = options.observer ?? silentRpcObserver;
    for (const method of options.methods) {
      const { path, kind } = method;
      this.#methods.set(path, { method, observer: observer.observeMethod(path, kind) });
      this.#services.add(path.slice(1, path.lastIndexOf('/')));
    }
  }

  accept(socket: Socket): void {
    if (this.#isClosing || socket.destroyed) {
      socket.destroy();
      return;
    }
    const minGap = this.keepAlive.minTimeMillis || LIBRARY_MIN_PING_GAP_MILLIS;
    const connection = new Http2Connection(socket, this, new PingPolicy(minGap));
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      if (this.#connections.size > 0) return;
      for (const resolve of this.#whenEmpty.splice(0)) resolve();
    });
  }

  async close(graceMillis: number): Promise<void> {
    this.#isClosing = true;
    for (const connection of this.#connections) connection.leave();
    if (this.#connections.size === 0) return;
    const closed = new Promise<void>((resolve) => {
      this.#whenEmpty.push(resolve);
    });
    const timer = this.clock.setTimer(graceMillis, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    await closed;
    timer.cancel();
  }

  createCall(
    streamId: number,
    head: RequestHead,
    connection: CallConnection,
  ): Http2Call | undefined {
    const served = this.#methods.get(head.path);
    if (served === undefined) return undefined;
    const { method } = served;
    return method.kind === 'unary'
      ? new UnaryCall(method, streamId, head, served, connection, this.#environment)
      : new StreamingCall(method.handle, streamId, head, served, connection, this.#environment);
  }

  refusalOf(path: string): Refusal {
    const message = unknownMethod(path, this.#services);
    return { httpStatus: 200, status: { code: GrpcCode.Unimplemented, message } };
  }

  httpOf(socket: Socket): Http2Listener | undefined {
    return 'encrypted' in socket ? this.#http : undefined;
  }
}
