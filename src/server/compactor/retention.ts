import { formatGoMillis } from '../../base/go-format.js';
import type { LogFields } from '../../base/logger.js';

/** Which revision may go now, by one of etcd's two modes (reference: semantics 11). */
export interface Retention {
  /** As etcd's log names it: `periodic` or `revision`. */
  readonly mode: string;
  /** Time between looks, ms. */
  readonly tickMillis: number;
  /** What is kept, for the log. */
  readonly logFields: LogFields;
  /** Called before each wait for a tick, also while paused. */
  observe(currentRevision: number): void;
  /** The revision to compact at this tick, if any; `now` is monotonic, ms. */
  due(currentRevision: number, now: number): number | undefined;
  /** A compaction to `revision` succeeded. */
  succeeded(revision: number, now: number): void;
}

const REVISION_TICK_MILLIS = 5 * 60 * 1000;

/** Keeps the last so many revisions; looks every five minutes. */
export class RevisionRetention implements Retention {
  readonly mode = 'revision';
  readonly tickMillis = REVISION_TICK_MILLIS;
  readonly logFields: LogFields;
  readonly #kept: number;
  #last = 0;

  constructor(kept: number) {
    this.#kept = kept;
    this.logFields = { 'revision-compaction-retention': kept };
  }

  /** The past does not matter in this mode. */
  observe(): void {}

  due(currentRevision: number): number | undefined {
    const revision = currentRevision - this.#kept;
    return revision <= 0 || revision === this.#last ? undefined : revision;
  }

  succeeded(revision: number): void {
    this.#last = revision;
  }
}

/** A longer period is compacted once an hour. */
const MAX_INTERVAL_MILLIS = 60 * 60 * 1000;
/** Samples of the revision in an interval. */
const TICKS_PER_INTERVAL = 10;

/** Keeps the revisions of the last so much time; the first compaction comes after a whole period. */
export class PeriodicRetention implements Retention {
  readonly mode = 'periodic';
  readonly tickMillis: number;
  readonly logFields: LogFields;
  readonly #intervalMillis: number;
  /** Samples that reach back one period. */
  readonly #window: number;
  /** Revisions at the last ticks, oldest first. */
  readonly #samples: number[] = [];
  /** Shortest time from one compaction to the next, ms. */
  #wait: number;
  #last = 0;
  #lastSuccess: number;

  constructor(periodMillis: number, now: number) {
    this.#intervalMillis = Math.min(periodMillis, MAX_INTERVAL_MILLIS);
    this.tickMillis = this.#intervalMillis / TICKS_PER_INTERVAL;
    this.#window = Math.floor((periodMillis * TICKS_PER_INTERVAL) / this.#intervalMillis) + 1;
    this.logFields = { 'compact-period': formatGoMillis(periodMillis) };
    this.#wait = periodMillis;
    this.#lastSuccess = now;
  }

  observe(currentRevision: number): void {
    this.#samples.push(currentRevision);
    if (this.#samples.length > this.#window) this.#samples.shift();
  }

  due(_currentRevision: number, now: number): number | undefined {
    const [oldest = 0] = this.#samples;
    if (now - this.#lastSuccess < this.#wait || oldest === this.#last) return undefined;
    this.#wait = this.#intervalMillis;
    return oldest;
  }

  succeeded(revision: number, now: number): void {
    this.#last = revision;
    this.#lastSuccess = now;
  }
}
