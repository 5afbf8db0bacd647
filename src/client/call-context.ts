import { setMaxListeners } from 'node:events';
import type { Clock, Timer } from '../platform/clock.js';
import type { ConnectionDiagnosis } from './diagnosis.js';
import { type CallError, canceledError, deadlineError } from './errors.js';

/** What bounds a call in time. */
export interface CallBounds {
  /** Point on the client clock's monotonic scale, in milliseconds, at which the call is given up. */
  readonly deadlineMillis?: number | undefined;
  /** Gives the call up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The life of one call over all its attempts: it ends when the deadline passes or the caller
 * aborts. Whoever makes one disposes of it.
 */
export class CallContext {
  readonly deadlineMillis: number | undefined;
  private readonly clock: Clock;
  private readonly signal: AbortSignal | undefined;
  private readonly listeners = new Set<(error: CallError) => void>();
  private readonly timer: Timer | undefined;
  private endedBy: 'deadline' | 'signal' | undefined;

  constructor(clock: Clock, bounds: CallBounds) {
    this.clock = clock;
    this.deadlineMillis = bounds.deadlineMillis;
    this.signal = bounds.signal;
    if (this.signal?.aborted) {
      this.endedBy = 'signal';
      return;
    }
    if (this.signal !== undefined) {
      // One signal may bound any number of calls; Node would warn of a leak at eleven.
      setMaxListeners(0, this.signal);
      this.signal.addEventListener('abort', this.onAbort);
    }
    if (this.deadlineMillis !== undefined) {
      const delay = Math.max(0, this.deadlineMillis - clock.monotonicMillis());
      this.timer = clock.setTimer(Math.min(delay, MAX_TIMER_MILLIS), () => this.end('deadline'));
    }
  }

  /** The error the call ends with if its context has ended. */
  ended(diagnoses: readonly ConnectionDiagnosis[] = []): CallError | undefined {
    if (this.endedBy === undefined) {
      return undefined;
    }
    return this.endedBy === 'deadline' ? deadlineError(diagnoses) : canceledError();
  }

  /** Milliseconds left, or undefined if the call is not bounded. */
  remainingMillis(): number | undefined {
    if (this.deadlineMillis === undefined) {
      return undefined;
    }
    return Math.max(0, this.deadlineMillis - this.clock.monotonicMillis());
  }

  /** Calls `listener` once when the context ends; the result takes the listener away. */
  onEnd(listener: (error: CallError) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Waits; rejects early with the context's error. */
  sleep(millis: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = this.onEnd((error) => {
        timer.cancel();
        reject(error);
      });
      const timer = this.clock.setTimer(millis, () => {
        stop();
        resolve();
      });
    });
  }

  dispose(): void {
    this.timer?.cancel();
    this.signal?.removeEventListener('abort', this.onAbort);
    this.listeners.clear();
  }

  private readonly onAbort = (): void => this.end('signal');

  private end(by: 'deadline' | 'signal'): void {
    if (this.endedBy !== undefined) {
      return;
    }
    this.endedBy = by;
    this.timer?.cancel();
    const error = by === 'deadline' ? deadlineError() : canceledError();
    for (const listener of [...this.listeners]) {
      listener(error);
    }
    this.listeners.clear();
  }
}

/** Longest delay a Node timer can hold; a later deadline is beyond the life of any process. */
const MAX_TIMER_MILLIS = 2 ** 31 - 1;
