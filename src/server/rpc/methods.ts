import { DecodeError } from '../../proto/decode-error.js';
import { GrpcCode, RpcError } from '../../proto/errors.js';
import type { RpcDefinition } from '../../proto/services.js';
import type { CallContext, RpcMethod, ServerStream, StreamHandler } from './transport.js';

/**
 * Runs a request decoder; bytes that are no such request are the client's fault and end in Internal
 * before any handler sees them (reference: api 4.1).
 */
export function decodeRequest<Request>(decode: (bytes: Buffer) => Request, bytes: Buffer): Request {
  try {
    return decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const text = `grpc: error unmarshalling request: ${error.message}`;
    throw new RpcError(GrpcCode.Internal, text);
  }
}

/** A unary method whose messages the generated codecs handle. For methods that are not hot. */
export function unaryMethod<Request, Response>(
  definition: RpcDefinition<Request, Response, 'unary'>,
  handle: (request: Request, context: CallContext) => Response | Promise<Response>,
): RpcMethod {
  const { path, request, response } = definition;
  return {
    path,
    kind: 'unary',
    async handle(bytes, context) {
      const decoded = decodeRequest((input) => request.decode(input), bytes);
      return response.encode(await handle(decoded, context)).finish();
    },
  };
}

/** A method with one request and a stream of responses; `handle` sends them and ends the stream. */
export function serverStreamMethod<Request, Response>(
  definition: RpcDefinition<Request, Response, 'serverStream'>,
  handle: (request: Request, stream: ServerStream) => Promise<void>,
): RpcMethod {
  const { path, request } = definition;
  const serve: StreamHandler = (stream) => {
    let received = false;
    stream.onMessage((bytes) => {
      // The client sends one request; what may come after it has no meaning.
      if (received) return;
      received = true;
      Promise.resolve()
        .then(() =>
          handle(
            decodeRequest((input) => request.decode(input), bytes),
            stream,
          ),
        )
        .catch((error: unknown) => stream.end(error));
    });
  };
  return { path, kind: 'serverStream', handle: serve };
}

/** Waits until the peer has read what was sent, or is gone. */
export function drained(stream: ServerStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      // A long stream waits many times; the signal must not collect a listener for each.
      signal.removeEventListener('abort', done);
      resolve();
    };
    stream.onDrain(done);
    signal.addEventListener('abort', done, { once: true });
  });
}
