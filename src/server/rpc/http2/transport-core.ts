import type { Socket } from 'node:net';
import type { Clock } from '../../../platform/clock.js';
import type { KeepAliveOptions } from '../transport-options.js';
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
  /** Whether a client of this connection may ping too often. */
  judgesPings(socket: Socket): boolean;
}
