import { encodeHeader } from '../../../base/http2/hpack.js';
import type { RpcStatus } from '../../../proto/errors.js';

/**
 * Header blocks of responses. All fields are literals without indexing, so that no block depends on
 * another and the same bytes serve every connection.
 */

const STATUS_200 = Buffer.of(0x88);
const CONTENT_TYPE = 'application/grpc';

/** Start of a response. */
export const RESPONSE_HEADERS: Buffer = responseHeaders('');

/** End of a call that succeeded. */
export const OK_TRAILERS: Buffer = encodeHeader('grpc-status', '0');

/** Start of a response to a request whose content type is `application/grpc` and `subtype`. */
export function responseHeaders(subtype: string): Buffer {
  const type = subtype === '' ? CONTENT_TYPE : `${CONTENT_TYPE}+${subtype}`;
  return Buffer.concat([STATUS_200, encodeHeader('content-type', type)]);
}

/** End of a call that failed. */
export function errorTrailers({ code, message }: RpcStatus): Buffer {
  return Buffer.concat([
    encodeHeader('grpc-status', String(code)),
    encodeHeader('grpc-message', percentEncode(message)),
  ]);
}

/** The only headers of a call that is refused before it starts. */
export function refusalHeaders(httpStatus: number, start: Buffer, status: RpcStatus): Buffer {
  const head =
    httpStatus === 200
      ? start
      : Buffer.concat([encodeHeader(':status', String(httpStatus)), start.subarray(1)]);
  return Buffer.concat([head, errorTrailers(status)]);
}

/** As gRPC encodes a status message: every byte of its UTF-8 but printable ASCII, and `%`. */
function percentEncode(message: string): string {
  return Buffer.from(message)
    .toString('latin1')
    .replace(/[^ -$&-~]/g, (character) => {
      const hex = character.charCodeAt(0).toString(16).toUpperCase();
      return `%${hex.padStart(2, '0')}`;
    });
}
