import Table from 'cli-table3';
import type { LoadResult } from './load/job.js';
import type { ServerKind } from './options.js';
import { type Figure, isMet, type Target } from './results.js';

/** CPU share of one core from which on the load process may have been what limited the rate. */
const BUSY_CLIENT = 0.95;

/** The figures side by side, with ratios and targets. */
export function ratioTable(figures: readonly Figure[]): string {
  const table = new Table({
    head: ['', 'unit', 'ours', 'etcd', 'ratio', 'target', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  });
  for (const { title, unit, values, ratio, target } of figures) {
    table.push([
      title,
      unit,
      readable(values.ours),
      readable(values.etcd),
      ratio === undefined ? '' : ratio.toFixed(2),
      target === undefined ? '' : targetText(target),
      ratio === undefined || target === undefined ? '' : isMet(ratio, target) ? 'met' : 'MISSED',
    ]);
  }
  return table.toString();
}

/** Latencies and costs of the runs behind the medians. */
export function detailTable(figures: readonly Figure[]): string {
  const table = new Table({
    head: ['', 'server', 'p50 ms', 'p99 ms', 'server CPU µs each', 'server CPU', 'load CPU'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { title, runs } of figures) {
    for (const kind of ['ours', 'etcd'] as const) {
      const run = runs[kind];
      if (run !== undefined) table.push(detailRow(title, kind, run));
    }
  }
  return table.length === 0 ? '' : table.toString();
}

function detailRow(title: string, kind: ServerKind, run: LoadResult): string[] {
  const loadShare = run.clientCpuSeconds / run.seconds;
  return [
    title,
    kind,
    run.p50Millis.toFixed(2),
    run.p99Millis.toFixed(2),
    ((run.serverCpuSeconds / run.completed) * 1e6).toFixed(1),
    percent(run.serverCpuSeconds / run.seconds),
    `${percent(loadShare)}${loadShare >= BUSY_CLIENT ? ' (limit?)' : ''}`,
  ];
}

function targetText({ least, most }: Target): string {
  return least === undefined ? `<= ${most}` : `>= ${least}`;
}

function readable(value: number | undefined): string {
  if (value === undefined) return '';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
