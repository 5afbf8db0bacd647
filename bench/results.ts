import type { LoadResult } from './load/job.js';
import type { ServerKind } from './options.js';
import type { WorkloadName } from './workloads.js';

/** One figure measured for one or both servers. */
export interface Figure {
  readonly workload: WorkloadName;
  readonly title: string;
  readonly unit: string;
  readonly values: Readonly<Partial<Record<ServerKind, number>>>;
  /** Every run behind the median of `values`. */
  readonly samples: Readonly<Partial<Record<ServerKind, readonly number[]>>>;
  /** ours / etcd; undefined if only one was measured. */
  readonly ratio: number | undefined;
  readonly target: Target | undefined;
  /** Details of the median run; only of workloads that are a load. */
  readonly runs: Readonly<Partial<Record<ServerKind, LoadResult>>>;
}

/** The bound of a ratio: rates must reach it, times and sizes must not exceed it. */
export interface Target {
  readonly least?: number;
  readonly most?: number;
}

export function isMet(ratio: number, { least, most }: Target): boolean {
  return (least === undefined || ratio >= least) && (most === undefined || ratio <= most);
}

/** The figure of several runs per server. */
export function rateFigure(
  description: Pick<Figure, 'workload' | 'title' | 'unit' | 'target'>,
  results: ReadonlyMap<ServerKind, readonly LoadResult[]>,
): Figure {
  const runs: Partial<Record<ServerKind, LoadResult>> = {};
  const samples = new Map<ServerKind, readonly number[]>();
  for (const [kind, list] of results) {
    const median = [...list].sort((left, right) => rateOf(left) - rateOf(right))[
      Math.floor(list.length / 2)
    ];
    if (median !== undefined) runs[kind] = median;
    samples.set(kind, list.map(rateOf));
  }
  return { ...plainFigure(description, samples), runs };
}

/** Runs against two servers of ours that followed each other. */
export interface CostPair {
  /** With what may cost something. */
  readonly with: LoadResult;
  readonly without: LoadResult;
}

/**
 * What something costs our server: the rate with it, and the CPU time of all threads. Ratios are
 * medians of the ratios of pairs, so that what else the machine does hits both sides.
 */
export function costFigures(
  description: Pick<Figure, 'workload' | 'title' | 'unit' | 'target'>,
  pairs: readonly CostPair[],
): Figure[] {
  const ratio = (read: (result: LoadResult) => number): number | undefined =>
    medianOf(pairs.map((pair) => read(pair.with) / read(pair.without)));
  const results = pairs.map((pair) => pair.with);
  const { workload } = description;
  const cost = { workload, title: '  server CPU each', unit: 'µs', target: undefined };
  return [
    { ...rateFigure(description, new Map([['ours', results]])), ratio: ratio(rateOf) },
    {
      ...plainFigure(cost, new Map([['ours', results.map(cpuMicrosOf)]])),
      ratio: ratio(cpuMicrosOf),
    },
  ];
}

function cpuMicrosOf({ serverCpuSeconds, completed }: LoadResult): number {
  return (serverCpuSeconds / completed) * 1e6;
}

export function plainFigure(
  description: Pick<Figure, 'workload' | 'title' | 'unit' | 'target'>,
  samples: ReadonlyMap<ServerKind, readonly number[]>,
): Figure {
  const values: Partial<Record<ServerKind, number>> = {};
  for (const [kind, list] of samples) {
    const median = medianOf(list);
    if (median !== undefined) values[kind] = median;
  }
  const { ours, etcd } = values;
  const ratio = ours === undefined || etcd === undefined ? undefined : ours / etcd;
  return { ...description, values, samples: Object.fromEntries(samples), ratio, runs: {} };
}

function rateOf(result: LoadResult): number {
  return result.completed / result.seconds;
}

export function medianOf(values: readonly number[]): number | undefined {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)];
}
