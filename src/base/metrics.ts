/**
 * Metrics as the pure core sees them. The server plugs in Prometheus ones under etcd's names
 * (reference: server, metrics); tests and the simulator pass the silent ones.
 */

export interface Counter {
  /** Adds `amount` (>= 0), 1 if absent. */
  inc(amount?: number): void;
}

export interface Gauge {
  set(value: number): void;
  inc(amount?: number): void;
  dec(amount?: number): void;
}

export interface Histogram {
  /** Takes one observation, in the unit of the metric's name (seconds, bytes, milliseconds). */
  observe(value: number): void;
}

const ignore = (): void => {};

export const silentCounter: Counter = { inc: ignore };
export const silentGauge: Gauge = { set: ignore, inc: ignore, dec: ignore };
export const silentHistogram: Histogram = { observe: ignore };
