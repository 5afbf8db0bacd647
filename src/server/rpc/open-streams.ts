import type { CallContext, RpcMethod, ServerStream } from './transport.js';

/**
 * The streams that are open now, or some of them. A server that stops ends them itself: they would never end by
 * themselves, and a client that is told Unavailable goes on at another member at once
 * (reference: api 8).
 */
export class OpenStreams {
  readonly #streams = new Set<ServerStream>();
  readonly #concerns: (context: CallContext) => boolean;

  /** @param concerns says which streams are of interest; by default all are */
  constructor(concerns: (context: CallContext) => boolean = () => true) {
    this.#concerns = concerns;
  }

  /** The same methods, with their streams known here. */
  track(methods: readonly RpcMethod[]): RpcMethod[] {
    return methods.map((method) => {
      if (method.kind === 'unary') return method;
      return {
        ...method,
        handle: (stream: ServerStream) => {
          if (!this.#concerns(stream.context)) {
            method.handle(stream);
            return;
          }
          this.#streams.add(stream);
          // Before the handler, which may throw: the stream is then ended, and gone all the same.
          stream.onClose(() => this.#streams.delete(stream));
          method.handle(stream);
        },
      };
    });
  }

  endAll(error: unknown): void {
    for (const stream of this.#streams) stream.end(error);
  }
}
