import { constants, type IncomingHttpHeaders } from 'node:http2';
import { GrpcCode, type RpcError } from '../../proto/errors.js';
import { CallError, errorFromStatus } from '../errors.js';

/**
 * The outcome that `grpc-status` in headers or trailers states: undefined if there is none,
 * 'ok' for OK.
 */
export function statusFromHeaders(headers: IncomingHttpHeaders): RpcError | 'ok' | undefined {
  const text = headers['grpc-status'];
  if (typeof text !== 'string') {
    return undefined;
  }
  const code = Number(text);
  if (code === GrpcCode.OK) {
    return 'ok';
  }
  const message = headers['grpc-message'];
  return errorFromStatus(
    knownCode(code),
    typeof message === 'string' ? percentDecode(message) : '',
  );
}

const KNOWN_CODES: ReadonlySet<number> = new Set(Object.values(GrpcCode));

function knownCode(code: number): GrpcCode {
  return KNOWN_CODES.has(code) ? (code as GrpcCode) : GrpcCode.Unknown;
}

/** Undoes the percent encoding of `grpc-message`; a malformed escape stays as it is. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) {
    return Buffer.from(text, 'latin1').toString('utf8');
  }
  const latin1 = text.replace(/%([0-9a-f]{2})/gi, (_escape, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

const BY_HTTP_STATUS: Readonly<Record<number, GrpcCode>> = {
  400: GrpcCode.Internal,
  401: GrpcCode.Unauthenticated,
  403: GrpcCode.PermissionDenied,
  404: GrpcCode.Unimplemented,
  429: GrpcCode.Unavailable,
  502: GrpcCode.Unavailable,
  503: GrpcCode.Unavailable,
  504: GrpcCode.Unavailable,
};

/** The error for a response without `grpc-status` whose HTTP status is not 200. */
export function errorFromHttpStatus(status: number): CallError {
  return new CallError(
    BY_HTTP_STATUS[status] ?? GrpcCode.Unknown,
    `unexpected HTTP status code received from server: ${status}`,
  );
}

const BY_RESET_CODE: Readonly<Record<number, GrpcCode>> = {
  [constants.NGHTTP2_REFUSED_STREAM]: GrpcCode.Unavailable,
  [constants.NGHTTP2_CANCEL]: GrpcCode.Canceled,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: GrpcCode.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: GrpcCode.PermissionDenied,
};

/**
 * The error for a stream that ended without a status. A refused stream was never processed, nor
 * was one above the last stream id of a GOAWAY, which ends with the same code.
 */
export function errorFromReset(code: number, responded: boolean): CallError {
  return new CallError(
    BY_RESET_CODE[code] ?? GrpcCode.Internal,
    `stream terminated by RST_STREAM with error code: ${resetName(code)}`,
    { unprocessed: code === constants.NGHTTP2_REFUSED_STREAM && !responded },
  );
}

const RESET_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

function resetName(code: number): string {
  return RESET_NAMES[code] ?? String(code);
}
