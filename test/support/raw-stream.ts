import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { MessageDecoder } from '../../src/client/transport/message-framing.js';
import type { RpcDefinition } from '../../src/proto/services.js';

/** A bidirectional stream on a connection of its own, read by hand and only when told to. */
export class RawStream<Request, Response> {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #definition: RpcDefinition<Request, Response, 'bidiStream'>;
  readonly #responses: Response[] = [];
  #wake: () => void = () => {};
  /** `grpc-status` once the server has ended the stream; `lost` if it did not come to that. */
  readonly status: Promise<string>;

  constructor(url: string, definition: RpcDefinition<Request, Response, 'bidiStream'>) {
    this.#definition = definition;
    this.#session = connect(url);
    this.#stream = this.#session.request(
      {
        ':method': 'POST',
        ':path': definition.path,
        'content-type': 'application/grpc',
        te: 'trailers',
      },
      { endStream: false },
    );
    const decoder = new MessageDecoder(2 ** 31 - 1);
    this.#stream.on('data', (chunk: Buffer) => {
      decoder.push(chunk, (message) => this.#responses.push(definition.response.decode(message)));
      this.#wake();
    });
    this.#stream.on('error', () => this.#session.destroy());
    this.#session.on('error', () => this.#session.destroy());
    this.status = new Promise((resolve) => {
      const take = (headers: Record<string, unknown>): void => {
        if (headers['grpc-status'] !== undefined) resolve(String(headers['grpc-status']));
      };
      this.#stream.on('response', take);
      this.#stream.on('trailers', take);
      this.#stream.on('close', () => resolve('lost'));
    });
  }

  send(request: Partial<Request>): void {
    const { request: codec } = this.#definition;
    this.sendBytes(codec.encode(codec.create(request)).finish());
  }

  /** Sends a message as it is. */
  sendBytes(message: Uint8Array): void {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([prefix, message]));
  }

  halfClose(): void {
    this.#stream.end();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** The next response. */
  async next(): Promise<Response> {
    for (;;) {
      const response = this.#responses.shift();
      if (response !== undefined) return response;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#session.destroy();
  }
}
