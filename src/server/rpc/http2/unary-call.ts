import { EMPTY_BYTES } from '../../../base/bytes.js';
import { GrpcCode, RpcError } from '../../../proto/errors.js';
import type { RpcMethod, UnaryHandler } from '../transport.js';
import { Http2Call } from './http2-call.js';

type UnaryMethod = Extract<RpcMethod, { kind: 'unary' }>;

/** Serves one unary call. */
export class UnaryCall extends Http2Call {
  readonly #method: UnaryMethod;
  #received = false;
  /** For the recorder, if there is one. */
  #request: Buffer = EMPTY_BYTES;
  #started = 0;

  constructor(method: UnaryMethod, ...rest: ConstructorParameters<typeof Http2Call>) {
    super(...rest);
    this.#method = method;
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
    const { handle, recorder } = this.#method;
    if (recorder !== undefined) {
      this.#request = message;
      this.#started = recorder.started();
    }
    let reply: ReturnType<UnaryHandler>;
    try {
      this.runChecks();
      reply = handle(message, this);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (reply instanceof Uint8Array) {
      this.#answer(reply);
      return;
    }
    reply.then(
      (response) => this.#answer(response),
      (error: unknown) => this.#refuse(error),
    );
  }

  #answer(response: Uint8Array): void {
    this.#method.recorder?.answered(this, this.#request, this.#started, response);
    this.sendReply(response);
  }

  #refuse(error: unknown): void {
    this.#method.recorder?.refused(this, this.#request, this.#started, error);
    this.fail(error);
  }

  protected halfClosed(): void {
    throw new RpcError(
      GrpcCode.Internal,
      'cardinality violation: received no request message from non-client-streaming RPC',
    );
  }
}
