import { quoteGo } from '../../../base/go-format.js';
import type { HeaderField } from '../../../base/http2/hpack.js';
import { GrpcCode, type RpcStatus } from '../../../proto/errors.js';
import type { CallMetadata } from '../transport.js';
import { RESPONSE_HEADERS, responseHeaders } from './response-headers.js';
import { parseTimeout } from './timeout.js';

/** Why a request is no call, and what answers it. */
export interface Refusal {
  readonly httpStatus: number;
  readonly status: RpcStatus;
}

/** The headers of a request. It does not change: requests with the same headers share it. */
export interface RequestHead {
  readonly fields: readonly HeaderField[];
  readonly path: string;
  /** Trap: the content type need only contain `application/grpc` (reference: server 4.1). */
  readonly looksLikeCall: boolean;
  readonly metadata: CallMetadata;
  /** Milliseconds that the client waits; undefined: for ever. */
  readonly timeoutMillis: number | undefined;
  /** `grpc-encoding`; empty: none. */
  readonly encoding: string;
  /** Header block with which a response starts. */
  readonly responseHeaders: Buffer;
  readonly refusal: Refusal | undefined;
}

/** Fields in order. The first of several with one name counts. */
class FieldMetadata implements CallMetadata {
  readonly #fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.#fields = fields;
  }

  get(name: string): string | undefined {
    for (const field of this.#fields) {
      if (field.name === name) return field.value;
    }
    return undefined;
  }
}

const CONTENT_TYPE = 'application/grpc';
const PSEUDO_HEADERS: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority']);
/** Names and values as Go's HTTP/2 takes them (RFC 9113, 8.2.1). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t -~\u0080-\u00ff]*$/;

/** Reads a header list; undefined: it is malformed, and the stream must be reset. */
export function readRequestHead(fields: readonly HeaderField[]): RequestHead | undefined {
  if (!isWellFormed(fields)) return undefined;
  const metadata = new FieldMetadata(fields);
  const contentType = metadata.get('content-type') ?? '';
  const subtype = contentSubtype(contentType);
  const timeout = metadata.get('grpc-timeout');
  const timeoutMillis = timeout === undefined ? undefined : parseTimeout(timeout);
  return {
    fields,
    path: metadata.get(':path') ?? '',
    looksLikeCall: contentType.includes(CONTENT_TYPE),
    metadata,
    timeoutMillis: typeof timeoutMillis === 'string' ? undefined : timeoutMillis,
    encoding: metadata.get('grpc-encoding') ?? '',
    responseHeaders: subtype ? responseHeaders(subtype) : RESPONSE_HEADERS,
    refusal:
      subtype === undefined
        ? refuse(
            415,
            GrpcCode.InvalidArgument,
            `invalid gRPC request content-type ${quoteGo(contentType)}`,
          )
        : typeof timeoutMillis === 'string'
          ? refuse(400, GrpcCode.Internal, `malformed grpc-timeout: ${timeoutMillis}`)
          : (wrongMethod(metadata.get(':method') ?? '') ?? noTimeLeft(timeoutMillis)),
  };
}

/** RFC 9113, 8.2 and 8.3. */
function isWellFormed(fields: readonly HeaderField[]): boolean {
  let pseudoAllowed = true;
  const seen = new Set<string>();
  for (const { name, value } of fields) {
    if (!VALUE.test(value)) return false;
    if (name.startsWith(':')) {
      if (!pseudoAllowed || seen.has(name) || !PSEUDO_HEADERS.has(name)) return false;
      seen.add(name);
    } else {
      if (name === 'connection' || !NAME.test(name)) return false;
      pseudoAllowed = false;
    }
  }
  return true;
}

/** What follows `application/grpc` in a content type; undefined: it is another one. */
function contentSubtype(contentType: string): string | undefined {
  const lower = contentType.toLowerCase();
  if (lower === CONTENT_TYPE) return '';
  if (!lower.startsWith(CONTENT_TYPE)) return undefined;
  const separator = lower[CONTENT_TYPE.length];
  return separator === '+' || separator === ';' ? lower.slice(CONTENT_TYPE.length + 1) : undefined;
}

/** Without this a write would be carried out that its caller has given up. */
function noTimeLeft(timeoutMillis: number | undefined): Refusal | undefined {
  if (timeoutMillis !== 0) return undefined;
  return refuse(200, GrpcCode.DeadlineExceeded, 'context deadline exceeded');
}

function wrongMethod(method: string): Refusal | undefined {
  if (method === 'POST') return undefined;
  const text = `Received a HEADERS frame with :method ${quoteGo(method)} which should be POST`;
  return refuse(405, GrpcCode.Internal, text);
}

function refuse(httpStatus: number, code: GrpcCode, message: string): Refusal {
  return { httpStatus, status: { code, message } };
}
