import { credentials, Client as GrpcClient, type Metadata, type ServiceError } from '@grpc/grpc-js';

const identity = (bytes: Buffer): Buffer => bytes;

/** Encodes a message of one type. */
export interface Encoder<Message> {
  encode(message: Message): { finish(): Uint8Array };
}

/** Decodes a message of one type. */
export interface Decoder<Message> {
  decode(bytes: Uint8Array): Message;
}

/** gRPC calls on bytes, without what a client of etcd adds (checks, retries, metadata). */
export class RawClient {
  readonly #client: GrpcClient;

  constructor(endpoint: string) {
    this.#client = new GrpcClient(endpoint, credentials.createInsecure());
  }

  /**
   * Calls `/<path>`.
   * @throws ServiceError of grpc-js
   */
  call(path: string, request: Uint8Array, metadata?: Metadata): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Buffer): void =>
        response === undefined ? reject(error) : resolve(response);
      const bytes = Buffer.from(request);
      if (metadata === undefined) {
        this.#client.makeUnaryRequest(`/${path}`, identity, identity, bytes, done);
      } else {
        this.#client.makeUnaryRequest(`/${path}`, identity, identity, bytes, metadata, done);
      }
    });
  }

  /** Calls `/etcdserverpb.<method>`. */
  async send<Request, Response>(
    method: string,
    request: Encoder<Request>,
    message: Request,
    response: Decoder<Response>,
  ): Promise<Response> {
    const bytes = request.encode(message).finish();
    return response.decode(await this.call(`etcdserverpb.${method}`, bytes));
  }

  /** Opens a stream of both sides, sends the messages, and collects answers until `count` came. */
  stream(path: string, requests: readonly Uint8Array[], count: number): Promise<Buffer[]> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeBidiStreamRequest(`/${path}`, identity, identity);
      const answers: Buffer[] = [];
      call.on('data', (answer: Buffer) => {
        answers.push(answer);
        if (answers.length < count) return;
        call.cancel();
        resolve(answers);
      });
      call.on('error', reject);
      for (const request of requests) call.write(Buffer.from(request));
    });
  }

  close(): void {
    this.#client.close();
  }
}
