import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterProcesses, type Roles } from './cluster-processes.js';
import type { LoadJob, LoadResult } from './load/job.js';
import type { BenchOptions, ServerKind } from './options.js';
import { type Figure, rateFigure } from './results.js';
import type { ServerProgram } from './server-process.js';
import { fillLoad, type Load, manyCalls, oneCall, type RunSettings } from './workloads.js';

interface ClusterWorkload {
  readonly title: string;
  readonly unit: string;
  /** Which member the load is for. */
  readonly through: keyof Roles;
  /** Reads begin with members at rest, for the reason that bench.ts gives. */
  readonly isRead?: boolean;
  readonly load: (settings: Pick<RunSettings, 'seconds' | 'keys'>) => Load;
}

const CLUSTER_WORKLOADS: readonly ClusterWorkload[] = [
  {
    title: '3 members: put, 1 client, leader',
    unit: 'puts/s',
    through: 'leader',
    load: ({ seconds, keys }) => oneCall({ type: 'put', keyCount: keys }, seconds),
  },
  {
    title: '3 members: put, 1,000 in flight, leader',
    unit: 'puts/s',
    through: 'leader',
    load: ({ seconds, keys }) => manyCalls({ type: 'put', keyCount: keys }, seconds),
  },
  {
    title: '3 members: put, 1,000 in flight, follower',
    unit: 'puts/s',
    through: 'follower',
    load: ({ seconds, keys }) => manyCalls({ type: 'put', keyCount: keys }, seconds),
  },
  {
    title: '3 members: get, linearizable, 1,000 in flight, follower',
    unit: 'gets/s',
    through: 'follower',
    isRead: true,
    load: ({ seconds, keys }) =>
      manyCalls({ type: 'get', keyCount: keys, serializable: false }, seconds),
  },
];

export interface ClusterBenchOptions {
  readonly options: BenchOptions;
  /** Where the data of all clusters go; it exists. */
  readonly directory: string;
  readonly progress: (text: string) => void;
  /** How to start a member. */
  readonly program: (kind: ServerKind, label: string) => ServerProgram;
  readonly runLoad: (job: LoadJob) => Promise<LoadResult>;
  /** Carries something out whose failure does not end the rest. */
  readonly attempt: (what: string, work: () => Promise<void>) => Promise<void>;
  /** Lets what the last run left to do in the background come to an end. */
  readonly pause: () => Promise<void>;
}

/** Loads a cluster of three members of ours and one of real ones, in turn. */
export class ClusterBench {
  readonly #options: ClusterBenchOptions;
  readonly #clusters = new Map<ServerKind, ClusterProcesses>();

  constructor(options: ClusterBenchOptions) {
    this.#options = options;
  }

  /** Kills what runs without waiting for its end. */
  killNow(): void {
    for (const cluster of this.#clusters.values()) cluster.killNow();
  }

  async run(): Promise<Figure[]> {
    const figures: Figure[] = [];
    const isProfiled = this.#options.options.profileDirectory !== undefined;
    // A profile is of one workload.
    const groups = isProfiled ? CLUSTER_WORKLOADS.map((only) => [only]) : [CLUSTER_WORKLOADS];
    for (const [index, group] of groups.entries()) {
      await this.#start(`cluster-${index}`);
      for (const workload of group) figures.push(await this.#rate(workload));
      await this.#end();
    }
    return figures;
  }

  async #start(label: string): Promise<void> {
    const { options, attempt, directory, program } = this.#options;
    for (const kind of options.servers) {
      await attempt(`${kind}, start of three members`, async () => {
        const own = join(directory, `${kind}-${label}`);
        mkdirSync(own);
        const cluster = await ClusterProcesses.create(own, (member) =>
          program(kind, `${label}-${member}`),
        );
        this.#clusters.set(kind, cluster);
        await cluster.start();
        await this.#load(cluster, 'leader', fillLoad(options.keys));
      });
    }
  }

  async #restart(): Promise<void> {
    for (const [kind, cluster] of this.#clusters) {
      await this.#options.attempt(`${kind}, restart of three members`, async () => {
        await cluster.stop();
        await cluster.start();
      });
    }
  }

  async #end(): Promise<void> {
    const { attempt } = this.#options;
    for (const [kind, cluster] of this.#clusters) {
      await attempt(`${kind}, comparison of three members`, () => cluster.verifyEqual());
      await cluster.stop();
      this.#clusters.delete(kind);
      rmSync(cluster.directory, { recursive: true, force: true });
    }
  }

  async #rate({ title, unit, through, isRead, load }: ClusterWorkload): Promise<Figure> {
    const { options, attempt, pause, progress } = this.#options;
    if (isRead === true) await this.#restart();
    const results = new Map<ServerKind, LoadResult[]>();
    for (const kind of this.#clusters.keys()) results.set(kind, []);
    for (let run = 0; run < options.runs; run++) {
      // What one cluster leaves to the machine hits the other one as often.
      const order = run % 2 === 0 ? [...this.#clusters] : [...this.#clusters].reverse();
      for (const [kind, cluster] of order) {
        await attempt(`${kind}, ${title}`, async () => {
          await pause();
          const result = await this.#load(cluster, through, load(options));
          const rate = Math.round(result.completed / result.seconds);
          progress(`${title}: ${kind} ${rate.toLocaleString('en-US')} ${unit}`);
          results.get(kind)?.push(result);
        });
      }
    }
    return rateFigure({ workload: 'cluster', title, unit, target: undefined }, results);
  }

  async #load(cluster: ClusterProcesses, through: keyof Roles, load: Load): Promise<LoadResult> {
    const { port } = (await cluster.roles())[through];
    const result = await this.#options.runLoad({ ...load, port, serverPids: cluster.pids });
    if (result.failed > 0) {
      throw new Error(`${result.failed} failures, the first: ${result.firstFailure}`);
    }
    return result;
  }
}
