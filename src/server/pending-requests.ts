import type { Clock, Timer } from '../platform/clock.js';

/** A request of this member that is on its way through the log. */
export interface PendingRequest {
  /** The decoded request, so that apply need not decode it again. */
  readonly request: unknown;
  /** The entry that was proposed for it. */
  readonly entry: Buffer;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Waiting extends PendingRequest {
  readonly id: bigint;
  readonly deadlineMillis: number;
}

/** Requests that may be on their way through the log at a time. */
export const MAX_PENDING_REQUESTS = 100_000;
/** Bytes of their entries. */
const MAX_PENDING_BYTES = 512 * 1024 * 1024;
/** How often deadlines are looked at, ms: a request may wait this much longer than its timeout. */
const SWEEP_INTERVAL_MILLIS = 100;

/**
 * Requests that wait until their entry is applied. All have the same timeout, so the order of
 * arrival is the order of the deadlines and one timer serves them all.
 * Whoever adds one looks before whether there is room.
 */
export class PendingRequests {
  readonly #clock: Pick<Clock, 'monotonicMillis' | 'setPeriodic'>;
  readonly #timeoutMillis: number;
  readonly #timeoutError: (startedMillis: number) => unknown;
  readonly #byId = new Map<bigint, Waiting>();
  #bytes = 0;
  #sweeper: Timer | undefined;

  /**
   * @param timeoutMillis how long a request may take
   * @param timeoutError what a request that took longer is told, given when it began
   */
  constructor(
    clock: Pick<Clock, 'monotonicMillis' | 'setPeriodic'>,
    timeoutMillis: number,
    timeoutError: (startedMillis: number) => unknown,
  ) {
    this.#clock = clock;
    this.#timeoutMillis = timeoutMillis;
    this.#timeoutError = timeoutError;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Whether there is no room for another one. */
  get isFull(): boolean {
    return this.#byId.size >= MAX_PENDING_REQUESTS || this.#bytes >= MAX_PENDING_BYTES;
  }

  /** Waits for the result of request `id`, which was proposed as `entry`. */
  wait<Result>(id: bigint, request: unknown, entry: Buffer): Promise<Result> {
    this.#bytes += entry.length;
    this.#sweeper ??= this.#clock.setPeriodic(SWEEP_INTERVAL_MILLIS, () => this.#sweep());
    return new Promise<Result>((resolve, reject) => {
      this.#byId.set(id, {
        id,
        request,
        entry,
        resolve: resolve as (result: unknown) => void,
        reject,
        deadlineMillis: this.#clock.monotonicMillis() + this.#timeoutMillis,
      });
    });
  }

  /** Whether a request still waits under `id`. */
  has(id: bigint): boolean {
    return this.#byId.has(id);
  }

  /** Takes out the request that waits under `id`, if any; the caller answers it. */
  take(id: bigint): PendingRequest | undefined {
    const waiting = this.#byId.get(id);
    if (waiting === undefined) return undefined;
    this.#byId.delete(id);
    this.#bytes -= waiting.entry.length;
    return waiting;
  }

  /** Ends all waits with `error` and takes no more. */
  close(error: unknown): void {
    this.#sweeper?.cancel();
    const all = [...this.#byId.values()];
    this.#byId.clear();
    this.#bytes = 0;
    for (const waiting of all) waiting.reject(error);
  }

  #sweep(): void {
    const now = this.#clock.monotonicMillis();
    for (const waiting of this.#byId.values()) {
      if (waiting.deadlineMillis > now) break;
      this.take(waiting.id)?.reject(
        this.#timeoutError(waiting.deadlineMillis - this.#timeoutMillis),
      );
    }
    if (this.#byId.size > 0) return;
    this.#sweeper?.cancel();
    this.#sweeper = undefined;
  }
}
