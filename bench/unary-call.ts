import type { Client } from '@grpc/grpc-js';
import type { MessageCodec } from '../src/proto/wire/message.js';

const DEADLINE_MILLIS = 10_000;

/** One call with an encoded request; rejects if it has no answer in 10 s. */
export function unaryCall<Response>(
  client: Client,
  method: string,
  request: Buffer,
  codec: MessageCodec<Response>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method,
      (message: Buffer) => message,
      (bytes: Buffer) => codec.decode(bytes),
      request,
      { deadline: Date.now() + DEADLINE_MILLIS },
      (error, response) => {
        if (error === null && response !== undefined) resolve(response);
        else reject(error ?? new Error('no response'));
      },
    );
  });
}
