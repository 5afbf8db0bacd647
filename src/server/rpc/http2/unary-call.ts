import { GrpcCode, RpcError } from '../../../proto/errors.js';
import type { UnaryHandler } from '../transport.js';
import { Http2Call } from './http2-call.js';

/** Serves one unary call. */
export class UnaryCall extends Http2Call {
  readonly #handle: UnaryHandler;
  #received = false;

  constructor(handle: UnaryHandler, ...rest: ConstructorParameters<typeof Http2Call>) {
    super(...rest);
    this.#handle = handle;
  }

  /** What comes after the first message is never read. */
  protected get isListening(): boolean {
    return !this.#received && !this.answered;
  }

  get isHolding(): boolean {
    return this.#received;
  }

  protected opened(): void {}

  protected deliver(message: Buffer): void {
    this.#received = true;
    this.observer.received(message.length);
    this.runChecks();
    const reply = this.#handle(message, this);
    if (reply instanceof Uint8Array) {
      this.sendReply(reply);
      return;
    }
    reply.then(
      (bytes) => this.sendReply(bytes),
      (error: unknown) => this.fail(error),
    );
  }

  protected halfClosed(): void {
    throw new RpcError(
      GrpcCode.Internal,
      'cardinality violation: received no request message from non-client-streaming RPC',
    );
  }
}
