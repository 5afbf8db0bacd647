import type { CallContext, ServerStream } from './transport.js';

/** Responses that may wait for their reader before the service is told to pause. */
const QUEUE_HIGH = 16;

/**
 * A stream whose client is this process: what the service sends can be iterated over. The iteration
 * ends when the service ends the stream, with its error if there is one, or when it is closed.
 */
export class LocalStream implements ServerStream {
  readonly context: CallContext;
  readonly #outer: AbortSignal | undefined;
  readonly #abort = new AbortController();
  readonly #closeOnAbort = (): void => this.close();
  readonly #closeListeners: (() => void)[] = [];
  #onMessage: ((message: Buffer) => void) | undefined;
  #onDrain: () => void = () => {};
  #queue: Uint8Array[] = [];
  #full = false;
  #closed = false;
  #error: unknown;
  #wake: () => void = () => {};

  /** @param signal closes the stream when aborted */
  constructor(context: Omit<CallContext, 'signal'>, signal: AbortSignal | undefined) {
    this.context = { ...context, signal: this.#abort.signal };
    this.#outer = signal;
    signal?.addEventListener('abort', this.#closeOnAbort, { once: true });
  }

  /** Hands the service a request. */
  request(message: Buffer): void {
    this.#onMessage?.(message);
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#onMessage = listener;
  }

  /** A local client closes when it is done; it has no half-way end. */
  onHalfClose(): void {}

  onClose(listener: () => void): void {
    if (this.#closed) listener();
    else this.#closeListeners.push(listener);
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  send(message: Uint8Array): boolean {
    if (this.#closed) return false;
    this.#queue.push(message);
    this.#full ||= this.#queue.length >= QUEUE_HIGH;
    this.#wake();
    return !this.#full;
  }

  end(error?: unknown): void {
    if (this.#closed) return;
    this.#error = error;
    this.close();
  }

  /** The reader leaves. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outer?.removeEventListener('abort', this.#closeOnAbort);
    this.#abort.abort();
    for (const listener of this.#closeListeners) listener();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const batch = this.#queue;
        this.#queue = [];
        yield* batch;
        if (this.#queue.length > 0) continue;
        if (this.#closed) break;
        if (this.#full) {
          this.#full = false;
          this.#onDrain();
          continue;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.close();
    }
    if (this.#error !== undefined) throw this.#error;
  }
}
