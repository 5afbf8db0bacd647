import { GrpcJsTransport } from './grpc-js-transport.js';
import { Http2Transport } from './http2/http2-transport.js';
import type { RpcTransport } from './transport.js';
import type { RpcTransportOptions } from './transport-options.js';

/** Which implementation serves calls: our own HTTP/2, or `@grpc/grpc-js`. */
export type TransportKind = 'http2' | 'grpc-js';

export function createTransport(kind: TransportKind, options: RpcTransportOptions): RpcTransport {
  return kind === 'grpc-js' ? new GrpcJsTransport(options) : new Http2Transport(options);
}
