import { formatGoFloat } from '../../base/go-format.js';
import type { Counter, Gauge, Histogram } from '../../base/metrics.js';

/** Label values of a sample, by label name. */
export type Labels = Readonly<Record<string, string>>;

/** One line of a scrape. */
export interface Sample {
  /** Added to the name of the metric: `_bucket`, `_sum`, `_count`, or empty. */
  readonly suffix: string;
  readonly labels: Labels;
  readonly value: number;
}

/** What a scrape reads. The other side of an instrument is one of the base interfaces. */
export interface SampleSource {
  samples(labels: Labels): Sample[];
}

/**
 * A number that goes up, or up and down. Plain fields, because instruments are used several times
 * in every request; the library that writes the text is asked only at a scrape.
 */
export class NumberInstrument implements Counter, Gauge, SampleSource {
  #value = 0;

  inc(amount = 1): void {
    this.#value += amount;
  }

  dec(amount = 1): void {
    this.#value -= amount;
  }

  set(value: number): void {
    this.#value = value;
  }

  samples(labels: Labels): Sample[] {
    return [{ suffix: '', labels, value: this.#value }];
  }
}

/** Counts observations in buckets with rising upper bounds. */
export class HistogramInstrument implements Histogram, SampleSource {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  samples(labels: Labels): Sample[] {
    let total = 0;
    const samples = this.#counts.map((count, index): Sample => {
      total += count;
      const bound = this.#bounds[index];
      const le = bound === undefined ? '+Inf' : formatGoFloat(bound);
      return { suffix: '_bucket', labels: { ...labels, le }, value: total };
    });
    samples.push({ suffix: '_sum', labels, value: this.#sum });
    samples.push({ suffix: '_count', labels, value: total });
    return samples;
  }
}

/** `count` bounds: `start` and its doubles. */
export function exponentialBounds(start: number, count: number): number[] {
  const bounds: number[] = [];
  for (let bound = start; bounds.length < count; bound *= 2) bounds.push(bound);
  return bounds;
}

/** Bounds for what a disk does, seconds: from 1 ms, doubling, to 8 s. */
export const DISK_SECONDS = exponentialBounds(0.001, 14);

/** Instruments of one metric by the values of its labels. */
export class LabelledFamily<Instrument extends SampleSource> {
  readonly #labelNames: readonly string[];
  readonly #create: () => Instrument;
  readonly #children = new Map<string, { labels: Labels; instrument: Instrument }>();

  constructor(labelNames: readonly string[], create: () => Instrument) {
    this.#labelNames = labelNames;
    this.#create = create;
  }

  /**
   * The instrument for these label values, made at the first call. Hot paths keep what they get.
   * The caller sees to it that the number of distinct values is bounded.
   */
  with(...values: readonly string[]): Instrument {
    const key = values.join('\0');
    let child = this.#children.get(key);
    if (child === undefined) {
      const entries = this.#labelNames.map((name, index) => [name, values[index] ?? '']);
      child = { labels: Object.fromEntries(entries), instrument: this.#create() };
      this.#children.set(key, child);
    }
    return child.instrument;
  }

  /** Those that were made so far. */
  instruments(): Instrument[] {
    return [...this.#children.values()].map(({ instrument }) => instrument);
  }

  samples(): Sample[] {
    return [...this.#children.values()].flatMap(({ labels, instrument }) =>
      instrument.samples(labels),
    );
  }
}
