import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { WORKLOAD_NAMES, type WorkloadName } from './workloads.js';

export type ServerKind = 'ours' | 'etcd';

export interface BenchOptions {
  readonly only: readonly WorkloadName[];
  readonly servers: readonly ServerKind[];
  /** Measured time of one run of one workload. */
  readonly seconds: number;
  /** Runs of which the median counts. */
  readonly runs: number;
  /** Keys that reads find. */
  readonly keys: number;
  /** Keys loaded for the memory and restart figures, and those of snapshots. */
  readonly manyKeys: number;
  /** Where the data directories go. */
  readonly directory: string;
  readonly etcd: string;
  readonly jsonFile: string | undefined;
  /** Where CPU profiles of our server go; undefined: none are taken. */
  readonly profileDirectory: string | undefined;
  /** Whether a missed target makes the exit code 1. */
  readonly check: boolean;
}

export const USAGE = `npm run bench -- [options]

Measures this server and a real etcd side by side, with the same load, on the same disk.

  --only LIST      workloads: ${WORKLOAD_NAMES.join(',')}
  --server WHICH   ours, etcd or both (default both)
  --seconds N      measured time of one run (default 4)
  --runs N         runs per workload and server, of which the median counts (default 3)
  --quick          1 run of 2 seconds, 10,000 keys, and 100,000 for memory, restart and files
  --many-keys N    keys loaded for memory, restart and files, a power of ten (default 1000000)
  --dir PATH       where the temporary data directories go (default ${tmpdir()})
  --etcd PATH      the real etcd (default /usr/bin/etcd)
  --json FILE      write all results there, too
  --profile DIR    write a CPU profile of our server for each workload to DIR, and a summary
  --check          exit with 1 if a target is missed
  --help
`;

/** Reads the command line; throws an Error that says what is wrong with it. Undefined: help. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      server: { type: 'string', default: 'both' },
      seconds: { type: 'string' },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'many-keys': { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      etcd: { type: 'string', default: '/usr/bin/etcd' },
      json: { type: 'string' },
      profile: { type: 'string' },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    only: workloadsOf(values.only),
    servers: serversOf(values.server),
    seconds: positive('seconds', values.seconds ?? (values.quick ? '2' : '4')),
    runs: positive('runs', values.runs ?? (values.quick ? '1' : '3')),
    keys: values.quick ? 10_000 : 100_000,
    manyKeys: powerOfTen(values['many-keys'] ?? (values.quick ? '100000' : '1000000')),
    directory: values.dir,
    etcd: values.etcd,
    jsonFile: values.json,
    profileDirectory: values.profile,
    check: values.check,
  };
}

function workloadsOf(list: string | undefined): readonly WorkloadName[] {
  if (list === undefined) return WORKLOAD_NAMES;
  return list.split(',').map((name) => {
    const found = WORKLOAD_NAMES.find((known) => known === name);
    if (found === undefined) throw new Error(`no workload ${name}: ${WORKLOAD_NAMES.join(', ')}`);
    return found;
  });
}

function serversOf(which: string): readonly ServerKind[] {
  if (which === 'both') return ['ours', 'etcd'];
  if (which === 'ours' || which === 'etcd') return [which];
  throw new Error(`--server is ours, etcd or both, not ${which}`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a positive number, not ${text}`);
  return value;
}

/** The order in which keys are written permutes them only if their number is a power of ten. */
function powerOfTen(text: string): number {
  const value = positive('many-keys', text);
  if (!/^10+$/.test(String(value))) throw new Error(`--many-keys must be a power of ten`);
  return value;
}
