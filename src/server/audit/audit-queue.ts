import type { Logger } from '../../base/logger.js';
import type { Counter, Gauge } from '../../base/metrics.js';
import type { Clock, Timer } from '../../platform/clock.js';
import { etcdError, GrpcCode, RpcError } from '../../proto/errors.js';

/** Lines that may wait for the disk, in characters; with more, new requests have to wait. */
export const MAX_QUEUED_AUDIT_CHARACTERS = 8 * 1024 * 1024;
/** Requests that may wait for the audit log; further ones are refused. */
export const MAX_AUDIT_WAITS = 10_000;
/** How long lines gather before they are written together, ms. */
const GATHER_MILLIS = 10;
/** From here on they are written at once, characters. */
const GATHERED_CHARACTERS = 64 * 1024;
/** After a failed write, until the next attempt, ms. */
const RETRY_MILLIS = 1000;

/** Where lines go, one {@link append} at a time. */
export interface AuditOutput {
  /** Writes lines from a position on; gives that of the first one that is not written. */
  append(lines: readonly string[], from: number): Promise<number>;
  close(): Promise<void>;
}

export interface AuditMetrics {
  readonly lines: Counter;
  readonly queuedCharacters: Gauge;
  readonly waits: Counter;
  readonly refusals: Counter;
  readonly writeFailures: Counter;
  readonly lostLines: Counter;
}

export interface AuditQueueOptions {
  readonly output: AuditOutput;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly logger: Logger;
  readonly metrics: AuditMetrics;
  /** How long a request waits for room, ms. */
  readonly timeoutMillis: number;
  /** Default {@link MAX_QUEUED_AUDIT_CHARACTERS}. */
  readonly maxQueuedCharacters?: number;
}

interface Waiter {
  readonly run: () => void;
  readonly refuse: (error: RpcError) => void;
  readonly timer: Timer;
}

/**
 * Lines on their way to the disk, in the order they came. No line is dropped while the server runs:
 * when the disk is slower than the requests, or fails, new requests wait, and are refused at last.
 */
export class AuditQueue {
  readonly #options: AuditQueueOptions;
  readonly #limit: number;
  #lines: string[] = [];
  #characters = 0;
  /** Queued or being written. */
  #unwritten = 0;
  #gathering: Timer | undefined;
  #draining: Promise<void> | undefined;
  #retry: (() => void) | undefined;
  /** First come, first served. */
  readonly #waiters = new Set<Waiter>();
  #closing = false;
  #closed = false;

  constructor(options: AuditQueueOptions) {
    this.#options = options;
    this.#limit = options.maxQueuedCharacters ?? MAX_QUEUED_AUDIT_CHARACTERS;
  }

  /** Whether a request may begin; if not, it has to ask {@link admit}. */
  get hasRoom(): boolean {
    return this.#unwritten < this.#limit && this.#waiters.size === 0;
  }

  /**
   * Begins a request, at once or when there is room, in the order of the calls; or refuses it, if
   * that takes too long. A refused request did nothing.
   */
  admit(run: () => void, refuse: (error: RpcError) => void): void {
    if (this.hasRoom) {
      run();
      return;
    }
    const { clock, metrics, timeoutMillis } = this.#options;
    const giveUp = (): void => {
      metrics.refusals.inc();
      refuse(new RpcError(GrpcCode.Unavailable, 'etcdkit: the audit log cannot be written'));
    };
    if (this.#waiters.size >= MAX_AUDIT_WAITS) {
      giveUp();
      return;
    }
    metrics.waits.inc();
    const timer = clock.setTimer(timeoutMillis, () => {
      this.#waiters.delete(waiter);
      giveUp();
    });
    const waiter: Waiter = { run, refuse, timer };
    this.#waiters.add(waiter);
  }

  /** Takes a line, with its end. Its request was admitted, so there is room enough for it. */
  write(line: string): void {
    if (this.#closed) {
      this.#lose(1);
      return;
    }
    this.#lines.push(line);
    this.#characters += line.length;
    this.#count(line.length);
    this.#schedule();
  }

  /** Writes what is queued, or fails to once more, and closes the output. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const { refuse, timer } of this.#waiters) {
      timer.cancel();
      refuse(etcdError('Stopped'));
    }
    this.#waiters.clear();
    this.#gathering?.cancel();
    this.#retry?.();
    do {
      this.#start();
      await this.#draining;
    } while (this.#lines.length > 0);
    this.#closed = true;
    await this.#options.output.close();
  }

  #schedule(): void {
    if (this.#draining !== undefined || this.#closing) return;
    if (this.#characters >= GATHERED_CHARACTERS) {
      this.#gathering?.cancel();
      this.#start();
      return;
    }
    this.#gathering ??= this.#options.clock.setTimer(GATHER_MILLIS, () => this.#start());
  }

  #start(): void {
    this.#gathering = undefined;
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
      if (this.#lines.length > 0) this.#schedule();
    });
  }

  async #drain(): Promise<void> {
    do {
      const lines = this.#lines;
      const characters = this.#characters;
      this.#lines = [];
      this.#characters = 0;
      const written = await this.#writeAll(lines);
      this.#options.metrics.lines.inc(written);
      if (written < lines.length) this.#lose(lines.length - written);
      this.#count(-characters);
      this.#letIn();
    } while (this.#characters >= GATHERED_CHARACTERS || (this.#closing && this.#lines.length > 0));
  }

  /** Writes until all is written; only at the end of the server some may be left. */
  async #writeAll(lines: readonly string[]): Promise<number> {
    const { output, logger, metrics } = this.#options;
    let failed = false;
    let next = 0;
    while (next < lines.length) {
      try {
        next = await output.append(lines, next);
        if (failed) logger.info('the audit log can be written again');
        failed = false;
      } catch (error) {
        metrics.writeFailures.inc();
        if (!failed) logger.error('failed to write to the audit log', { error: String(error) });
        failed = true;
        if (this.#closing) return next;
        await this.#pause();
      }
    }
    return next;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(RETRY_MILLIS, resolve);
      this.#retry = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #letIn(): void {
    for (const waiter of this.#waiters) {
      if (this.#unwritten >= this.#limit) return;
      this.#waiters.delete(waiter);
      waiter.timer.cancel();
      waiter.run();
    }
  }

  #count(characters: number): void {
    this.#unwritten += characters;
    this.#options.metrics.queuedCharacters.set(this.#unwritten);
  }

  #lose(lines: number): void {
    this.#options.metrics.lostLines.inc(lines);
    this.#options.logger.error('lines of the audit log are lost', { lines });
  }
}
