import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Clock } from '../../platform/clock.js';
import type { RpcCheck, RpcObserver } from './rpc-observer.js';
import type { RpcMethod } from './transport.js';

/** Keep-alive of connections, milliseconds (reference: server 8). */
export interface KeepAliveOptions {
  /** Shortest allowed gap between a client's pings; 0: the library's 5 minutes. */
  readonly minTimeMillis: number;
  /** Gap between our own pings; 0: none. */
  readonly intervalMillis: number;
  /** How long we wait for the answer to our ping; 0: no pings. */
  readonly timeoutMillis: number;
}

/** Serves one HTTP/2 request. */
export type Http2Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** What every implementation of a transport takes. */
export interface RpcTransportOptions {
  readonly methods: readonly RpcMethod[];
  readonly clock: Clock;
  /** Largest request message, bytes; default 2097152 (1.5 MiB request plus 512 KiB overhead). */
  readonly maxReceiveBytes?: number;
  /** Largest response message, bytes; default 2147483647. */
  readonly maxSendBytes?: number;
  /** Streams per connection; default 4294967295. */
  readonly maxConcurrentStreams?: number;
  readonly keepAlive?: KeepAliveOptions;
  /** Run in order before each handler. */
  readonly checks?: readonly RpcCheck[];
  readonly observer?: RpcObserver;
  /** Serves the HTTP/2 requests of TLS connections that are no calls; absent: they are refused. */
  readonly http?: Http2Listener;
}

export const DEFAULT_MAX_RECEIVE_BYTES: number = 1_572_864 + 524_288;
export const DEFAULT_MAX_SEND_BYTES: number = 2 ** 31 - 1;
export const DEFAULT_MAX_STREAMS: number = 2 ** 32 - 1;
export const DEFAULT_KEEP_ALIVE: KeepAliveOptions = {
  minTimeMillis: 5000,
  intervalMillis: 2 * 3600 * 1000,
  timeoutMillis: 20_000,
};
/** Minimum gap of pings where none is configured. */
export const LIBRARY_MIN_PING_GAP_MILLIS: number = 5 * 60 * 1000;
