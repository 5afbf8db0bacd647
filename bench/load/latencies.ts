/** Latencies of a sample of the calls, in milliseconds. */
export class Latencies {
  readonly #samples: number[] = [];

  add(millis: number): void {
    this.#samples.push(millis);
  }

  /** The sample below which `share` (0 to 1) of all lie; 0 without samples. */
  quantile(share: number): number {
    const sorted = Float64Array.from(this.#samples).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  }
}
