import { Client, type ClientReadableStream, credentials, type ServiceError } from '@grpc/grpc-js';
import type { RpcDefinition } from '../../src/proto/services.js';

/** How a call failed, as the wire tells it. */
export interface WireError {
  readonly code: number;
  readonly message: string;
}

/**
 * A bare gRPC client: unlike our own, it shows the code that the server sent, and neither repeats
 * nor explains anything.
 */
export class GrpcClient {
  readonly #client: Client;

  constructor(endpoint: string) {
    this.#client = new Client(endpoint, credentials.createInsecure());
  }

  unary<Request, Response>(
    definition: RpcDefinition<Request, Response, 'unary'>,
    request: Partial<Request>,
    signal?: AbortSignal,
  ): Promise<Response> {
    const { path, request: encoder, response: decoder } = definition;
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, value?: Response): void => {
        if (error !== null) reject(wireError(error));
        else if (value !== undefined) resolve(value);
      };
      const call = this.#client.makeUnaryRequest(
        path,
        (message: Partial<Request>) =>
          Buffer.from(encoder.encode(encoder.create(message)).finish()),
        (bytes) => decoder.decode(bytes),
        request,
        done,
      );
      signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  }

  serverStream<Request, Response>(
    definition: RpcDefinition<Request, Response, 'serverStream'>,
    request: Partial<Request>,
  ): ClientReadableStream<Response> {
    const { path, request: encoder, response: decoder } = definition;
    return this.#client.makeServerStreamRequest(
      path,
      (message: Partial<Request>) => Buffer.from(encoder.encode(encoder.create(message)).finish()),
      (bytes) => decoder.decode(bytes),
      request,
    );
  }

  close(): void {
    this.#client.close();
  }
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<WireError> {
  const outcome = await call.then(
    () => undefined,
    (error: WireError) => error,
  );
  if (outcome === undefined) throw new Error('the call succeeded');
  return outcome;
}

function wireError({ code, details }: ServiceError): WireError {
  return { code, message: details };
}
