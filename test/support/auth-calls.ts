import { createHmac } from 'node:crypto';
import {
  type ChannelCredentials,
  type ChannelOptions,
  credentials,
  Client as GrpcChannel,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type EtcdErrorName, etcdError, etcdErrorByMessage } from '../../src/proto/errors.js';
import type { RpcDefinition, RpcKind } from '../../src/proto/services.js';

/** How long a call may last before it counts as stuck, ms. */
const CALL_MILLIS = 10_000;

const asBytes = (bytes: Buffer): Buffer => bytes;

/** The text that stands for an error: its name if it has one, else the message. */
export function errorName(error: ServiceError): string {
  return etcdErrorByMessage(error.details)?.reason ?? error.details;
}

/** Whether an error has the code that goes with its name. */
export function hasOwnCode(error: ServiceError): boolean {
  const name = etcdErrorByMessage(error.details)?.reason;
  return name === undefined || etcdError(name as EtcdErrorName).code === error.code;
}

/** Makes calls with or without a token. */
export class AuthCalls {
  readonly #channel: GrpcChannel;

  constructor(
    endpoint: string,
    security: ChannelCredentials = credentials.createInsecure(),
    options: ChannelOptions = {},
  ) {
    this.#channel = new GrpcChannel(endpoint, security, options);
  }

  close(): void {
    this.#channel.close();
  }

  /**
   * The response, or the first one of a stream; undefined if a stream ended without any.
   * @throws ServiceError
   */
  async call<Request, Response>(
    { path, kind, request, response }: RpcDefinition<Request, Response, RpcKind>,
    fields: Partial<Request> = {},
    token?: string,
    tokenName = 'token',
  ): Promise<Response | undefined> {
    const metadata = new Metadata();
    if (token !== undefined) metadata.set(tokenName, token);
    const bytes = Buffer.from(request.encode(request.create(fields)).finish());
    const answer = await this.#send(path, kind, bytes, metadata);
    return answer === undefined ? undefined : response.decode(answer);
  }

  #send(
    path: string,
    kind: RpcKind,
    bytes: Buffer,
    metadata: Metadata,
  ): Promise<Buffer | undefined> {
    const options = { deadline: Date.now() + CALL_MILLIS };
    return new Promise((resolve, reject) => {
      if (kind === 'unary') {
        this.#channel.makeUnaryRequest<Buffer, Buffer>(
          path,
          asBytes,
          asBytes,
          bytes,
          metadata,
          options,
          (error, answer) => (error === null ? resolve(answer) : reject(error)),
        );
        return;
      }
      const stream = this.#channel.makeBidiStreamRequest<Buffer, Buffer>(
        path,
        asBytes,
        asBytes,
        metadata,
        options,
      );
      stream.on('data', (answer: Buffer) => {
        resolve(answer);
        stream.cancel();
      });
      stream.on('error', reject);
      stream.on('end', () => resolve(undefined));
      stream.write(bytes);
    });
  }
}

/** A JSON web token with those claims, signed with HS256. */
export function signedToken(secret: string, claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}
