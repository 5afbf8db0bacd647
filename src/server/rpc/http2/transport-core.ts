import type { Socket } from 'node:net';
import type { Clock } from '../../../platform/clock.js';
import type { Http2Listener, KeepAliveOptions } from '../transport-options.js';
import type { CallConnection, Http2Call } from './http2-call.js';
import type { Refusal, RequestHead } from './request-head.js';

/** What all connections of a transport share. */
export interface TransportCore {
  readonly clock: Clock;
  readonly keepAlive: KeepAliveOptions;
  readonly maxConcurrentStreams: number;
  /** A call of a served method; undefined: it is not served. */
  createCall(
    streamId: number,
    head: RequestHead,
    connection: CallConnection,
  ): Http2Call | undefined;
  /** What answers a call of a method that is not served. */
  refusalOf(path: string): Refusal;
  /** Serves requests that are no calls, if this connection is one that may carry them. */
  httpOf(socket: Socket): Http2Listener | undefined;
}
