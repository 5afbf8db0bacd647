import { encodeHeader } from '../../src/base/http2/hpack.js';

/**
 * The header block of a gRPC request, all literals without indexing, so that the same bytes serve
 * for every request of every connection.
 */
export function encodeRequestHeaders(path: string, authority: string): Buffer {
  const METHOD_POST = 0x83;
  const SCHEME_HTTP = 0x86;
  return Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP]),
    encodeHeader(':path', path),
    encodeHeader(':authority', authority),
    encodeHeader('content-type', 'application/grpc'),
    encodeHeader('user-agent', 'etcdkit-bench'),
    encodeHeader('te', 'trailers'),
  ]);
}
