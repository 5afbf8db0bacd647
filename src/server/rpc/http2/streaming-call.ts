import type { CallContext, ServerStream, StreamHandler } from '../transport.js';
import { Http2Call } from './http2-call.js';

/** Unsent octets of a stream from which `send` returns false. */
const SEND_QUEUE_HIGH_BYTES = 128 * 1024;
/** Unsent octets at which a full stream reports `onDrain`. */
const SEND_QUEUE_LOW_BYTES = 64 * 1024;

const ignore = (): void => {};

/** Serves one streaming call. */
export class StreamingCall extends Http2Call implements ServerStream {
  readonly #handle: StreamHandler;
  readonly #closeListeners: (() => void)[] = [];
  #onMessage: ((message: Buffer) => void) | undefined;
  #onHalfClose: () => void = ignore;
  #onDrain: () => void = ignore;
  /** Messages that came before there was a listener; the window of the stream bounds them. */
  #undelivered: Buffer[] = [];
  #isHalfClosed = false;
  #isFull = false;

  constructor(handle: StreamHandler, ...rest: ConstructorParameters<typeof Http2Call>) {
    super(...rest);
    this.#handle = handle;
  }

  get context(): CallContext {
    return this;
  }

  protected get isListening(): boolean {
    return !this.answered && !this.isClosed;
  }

  get isHolding(): boolean {
    return this.answered || this.#undelivered.length > 0;
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#onMessage = listener;
    const waiting = this.#undelivered;
    if (waiting.length === 0) return;
    this.#undelivered = [];
    for (const message of waiting) listener(message);
    if (this.#isHalfClosed) this.#onHalfClose();
    this.connection.replenish(this);
  }

  onHalfClose(listener: () => void): void {
    this.#onHalfClose = listener;
    if (this.#isHalfClosed && this.#undelivered.length === 0) listener();
  }

  onClose(listener: () => void): void {
    if (this.isClosed) listener();
    else this.#closeListeners.push(listener);
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  send(message: Uint8Array): boolean {
    if (this.answered || this.isClosed || !this.sendMessage(message)) return false;
    this.#isFull ||= (this.queue?.bytes ?? 0) >= SEND_QUEUE_HIGH_BYTES;
    return !this.#isFull;
  }

  end(error?: unknown): void {
    if (error === undefined) this.succeed();
    else this.fail(error);
  }

  override wrote(): void {
    if (!this.#isFull || (this.queue?.bytes ?? 0) > SEND_QUEUE_LOW_BYTES) return;
    this.#isFull = false;
    if (this.answered) return;
    try {
      this.#onDrain();
    } catch (error) {
      this.fail(error);
    }
  }

  override close(): void {
    super.close();
    for (const listener of this.#closeListeners) listener();
  }

  protected opened(): void {
    this.runChecks();
    this.#handle(this);
  }

  protected deliver(message: Buffer): void {
    this.observer.received(message.length);
    if (this.#onMessage === undefined || this.#undelivered.length > 0) {
      this.#undelivered.push(message);
    } else {
      this.#onMessage(message);
    }
  }

  protected halfClosed(): void {
    this.#isHalfClosed = true;
    if (this.#undelivered.length === 0) this.#onHalfClose();
  }
}
