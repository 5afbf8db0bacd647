import type { CallContext, CallMetadata } from '../rpc/transport.js';

/** A call as its handler sees it; remembers who the services found to make it. */
export class AuditedCall implements CallContext {
  readonly started: number;
  username = '';
  readonly #inner: CallContext;

  /** @param started on the monotonic clock, ms */
  constructor(inner: CallContext, started: number) {
    this.#inner = inner;
    this.started = started;
  }

  get method(): string {
    return this.#inner.method;
  }

  get metadata(): CallMetadata {
    return this.#inner.metadata;
  }

  get peer(): string {
    return this.#inner.peer;
  }

  get commonName(): string | undefined {
    return this.#inner.commonName;
  }

  get deadlineMillis(): number | undefined {
    return this.#inner.deadlineMillis;
  }

  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  identified(username: string): void {
    this.username = username;
  }
}
