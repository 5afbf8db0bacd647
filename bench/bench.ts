import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClusterBench } from './cluster-bench.js';
import { FilesBench } from './files-bench.js';
import type { LoadResult } from './load/job.js';
import { runLoad } from './load-process.js';
import type { BenchOptions, ServerKind } from './options.js';
import { type CostPair, costFigures, type Figure, plainFigure, rateFigure } from './results.js';
import { ServerProcess, type ServerProgram } from './server-process.js';
import { verifySemantics } from './verify.js';
import {
  AUDITED_WORKLOADS,
  fillLoad,
  type Load,
  RATE_WORKLOADS,
  type RateWorkload,
} from './workloads.js';

const MEBIBYTE = 2 ** 20;
/** Lets what the last run left to do in the background come to an end. */
const PAUSE_MILLIS = 500;
const MEMORY_TARGET = { most: 1.3 };
const RESTART_TARGET = { most: 1 };
const AUDIT_TARGET = { least: 0.9 };

/** The programs that a benchmark consists of. */
export interface BenchPrograms {
  /** The load process. */
  readonly loadProgram: string;
  /** Our etcd and our etcdctl, scripts for Node. */
  readonly ourProgram: string;
  readonly ourTool: string;
}

/** Carries out the workloads, one server after the other in each round, and collects figures. */
export class Bench {
  readonly #options: BenchOptions;
  readonly #programs: BenchPrograms;
  readonly #progress: (text: string) => void;
  readonly #directory: string;
  readonly #servers = new Set<ServerProcess>();
  readonly #clusterRates: ClusterBench;
  readonly #files: FilesBench;
  readonly #failures: string[] = [];

  constructor(options: BenchOptions, programs: BenchPrograms, progress: (text: string) => void) {
    this.#options = options;
    this.#programs = programs;
    this.#progress = progress;
    mkdirSync(options.directory, { recursive: true });
    this.#directory = mkdtempSync(join(options.directory, 'etcdkit-bench-'));
    this.#clusterRates = new ClusterBench({
      options,
      directory: this.#directory,
      progress,
      program: (kind, label) => this.#program(kind, label),
      runLoad: (job) => runLoad(programs.loadProgram, job),
      attempt: (what, work) => this.#attempt(what, work),
      pause,
    });
    this.#files = new FilesBench({
      options,
      directory: this.#directory,
      progress,
      create: (kind, label) => this.#create(kind, label),
      end: (server) => this.#end(server),
      tool: (kind) =>
        kind === 'etcd'
          ? { command: join(dirname(options.etcd), 'etcdctl'), args: [] }
          : { command: process.execPath, args: [programs.ourTool] },
      load: (server, load) => this.#load(server, load),
      attempt: (what, work) => this.#attempt(what, work),
      pause,
    });
  }

  /** What went wrong; figures that it concerns lack a value. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  async run(): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const group of this.#groups()) figures.push(...(await this.#rates(group)));
    if (this.#options.only.includes('audit') && this.#options.servers.includes('ours')) {
      figures.push(...(await this.#auditCost()));
    }
    if (this.#options.only.includes('cluster')) figures.push(...(await this.#clusterRates.run()));
    if (this.#options.only.includes('million')) figures.push(...(await this.#memoryAndRestart()));
    if (this.#options.only.includes('files')) figures.push(...(await this.#files.run()));
    return figures;
  }

  /** One failure does not end the rest of the benchmark. */
  async #attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const failure = `${what}: ${error instanceof Error ? error.message : String(error)}`;
      this.#failures.push(failure);
      this.#progress(failure);
    }
  }

  /** Ends what still runs and removes all data; for the end of this process, whatever its cause. */
  abandon(): void {
    for (const server of this.#servers) server.killNow();
    this.#clusterRates.killNow();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Workloads that share their servers; when profiling, each has servers of its own. */
  #groups(): RateWorkload[][] {
    const chosen = RATE_WORKLOADS.filter(({ name }) => this.#options.only.includes(name));
    if (this.#options.profileDirectory !== undefined) return chosen.map((workload) => [workload]);
    return ['write', 'read', 'watch']
      .map((group) => chosen.filter((workload) => workload.group === group))
      .filter((group) => group.length > 0);
  }

  async #rates(group: readonly RateWorkload[]): Promise<Figure[]> {
    const servers = new Map<ServerKind, ServerProcess>();
    const label = group.map(({ name }) => name).join('+');
    for (const kind of this.#options.servers) {
      await this.#attempt(`${kind}, start for ${label}`, async () => {
        const server = await this.#create(kind, label);
        await server.start();
        await verifySemantics(server.port);
        await this.#load(server, fillLoad(this.#options.keys));
        if (group.some((workload) => workload.group === 'read')) await this.#restart(server);
        servers.set(kind, server);
      });
    }
    const figures: Figure[] = [];
    for (const workload of group) figures.push(await this.#rate(workload, servers));
    for (const server of this.#servers) await this.#end(server);
    return figures;
  }

  /**
   * Brings a server to rest before reads: etcd 3.4 copies the buffer of uncommitted writes for each
   * read, as large as the last burst of puts left it, which costs it two thirds of its rate.
   */
  async #restart(server: ServerProcess): Promise<void> {
    await server.stop();
    await server.start();
  }

  async #rate(
    workload: RateWorkload,
    servers: ReadonlyMap<ServerKind, ServerProcess>,
  ): Promise<Figure> {
    const { name, title, unit, target } = workload;
    const { seconds, keys, runs } = this.#options;
    const results = new Map<ServerKind, LoadResult[]>();
    for (const kind of servers.keys()) results.set(kind, []);
    for (let run = 0; run < runs; run++) {
      // What one server leaves to the machine hits the other one as often.
      const order = run % 2 === 0 ? [...servers] : [...servers].reverse();
      for (const [kind, server] of order) {
        await this.#attempt(`${kind}, ${title}`, async () => {
          await pause();
          const result = await this.#load(server, workload.load({ seconds, keys, run }));
          const rate = Math.round(result.completed / result.seconds);
          this.#progress(`${title}: ${kind} ${rate.toLocaleString('en-US')} ${unit}`);
          results.get(kind)?.push(result);
        });
      }
    }
    return rateFigure(
      {
        workload: name,
        title,
        unit,
        target: target === undefined ? undefined : { least: target },
      },
      results,
    );
  }

  /** What an audit log costs: two servers of ours, one with it and one without. */
  async #auditCost(): Promise<Figure[]> {
    const figures: Figure[] = [];
    await this.#attempt('ours, audit', async () => {
      const without = await this.#create('ours', 'unaudited');
      const audited = await this.#create('ours', 'audited', (directory) => [
        `--audit-log=${join(directory, 'audit.log')}`,
      ]);
      for (const server of [without, audited]) {
        await server.start();
        await this.#load(server, fillLoad(this.#options.keys));
      }
      for (const workload of AUDITED_WORKLOADS) {
        figures.push(...(await this.#auditCostOf(workload, audited, without)));
      }
    });
    for (const server of this.#servers) await this.#end(server);
    return figures;
  }

  async #auditCostOf(
    { title, unit, load }: RateWorkload,
    audited: ServerProcess,
    without: ServerProcess,
  ): Promise<Figure[]> {
    const { seconds, keys, runs } = this.#options;
    const pairs: CostPair[] = [];
    for (let run = 0; run < runs; run++) {
      const order = run % 2 === 0 ? [audited, without] : [without, audited];
      const results = new Map<ServerProcess, LoadResult>();
      for (const server of order) {
        await pause();
        results.set(server, await this.#load(server, load({ seconds, keys, run })));
      }
      const [first, second] = [results.get(audited), results.get(without)];
      if (first !== undefined && second !== undefined) {
        pairs.push({ with: first, without: second });
        const rates = [first, second].map((result) =>
          Math.round(result.completed / result.seconds),
        );
        this.#progress(`${title}: ${rates[0]} ${unit} with an audit log, ${rates[1]} without`);
      }
    }
    return costFigures(
      {
        workload: 'audit',
        title: `${title}, with an audit log, to without`,
        unit,
        target: AUDIT_TARGET,
      },
      pairs,
    );
  }

  async #memoryAndRestart(): Promise<Figure[]> {
    const measured = new Map<ServerKind, ManyKeys>();
    for (const kind of this.#options.servers) {
      await this.#attempt(`${kind}, million`, async () => {
        measured.set(kind, await this.#measureManyKeys(kind));
      });
    }
    for (const server of this.#servers) await this.#end(server);
    const keys = this.#options.manyKeys.toLocaleString('en-US');
    const figure = (
      title: string,
      unit: string,
      target: Figure['target'],
      read: (of: ManyKeys) => readonly number[],
    ): Figure =>
      plainFigure(
        { workload: 'million', title, unit, target },
        new Map([...measured].map(([kind, of]) => [kind, read(of)])),
      );
    return [
      figure(`load of ${keys} keys`, 'puts/s', undefined, (of) => [of.loadRate]),
      figure('  memory after it', 'MiB', MEMORY_TARGET, (of) => [of.loaded.resident / MEBIBYTE]),
      figure('  of it anonymous', 'MiB', undefined, (of) => [of.loaded.anonymous / MEBIBYTE]),
      figure('  at its peak', 'MiB', undefined, (of) => [of.loaded.peak / MEBIBYTE]),
      figure('restart', 's', RESTART_TARGET, (of) => of.restarts),
      figure('  memory after it', 'MiB', MEMORY_TARGET, (of) => [of.restarted.resident / MEBIBYTE]),
      figure('  at its peak', 'MiB', undefined, (of) => [of.restarted.peak / MEBIBYTE]),
    ];
  }

  async #measureManyKeys(kind: ServerKind): Promise<ManyKeys> {
    const server = await this.#create(kind, 'million');
    await server.start();
    const load = await this.#load(server, fillLoad(this.#options.manyKeys));
    const loaded = server.memory();
    const restarts: number[] = [];
    for (let run = 0; run < this.#options.runs; run++) {
      await server.stop();
      restarts.push(await server.start());
    }
    const restarted = server.memory();
    this.#progress(
      `million: ${kind} ${Math.round(loaded.resident / MEBIBYTE)} MiB, restart ${restarts
        .map((seconds) => seconds.toFixed(2))
        .join(', ')} s`,
    );
    return { loadRate: load.completed / load.seconds, loaded, restarts, restarted };
  }

  async #load(server: ServerProcess, load: Load): Promise<LoadResult> {
    const target = { port: server.port, serverPids: [server.pid] };
    const result = await runLoad(this.#programs.loadProgram, { ...load, ...target });
    if (result.failed > 0) {
      throw new Error(`${result.failed} failures, the first: ${result.firstFailure}`);
    }
    return result;
  }

  async #create(
    kind: ServerKind,
    label: string,
    flags: (directory: string) => readonly string[] = () => [],
  ): Promise<ServerProcess> {
    const directory = join(this.#directory, `${kind}-${label}`);
    mkdirSync(directory);
    const { command, args } = this.#program(kind, label);
    const program = { command, args: [...args, ...flags(directory)] };
    const server = await ServerProcess.create(program, directory);
    this.#servers.add(server);
    return server;
  }

  async #end(server: ServerProcess): Promise<void> {
    await server.stop();
    this.#servers.delete(server);
    rmSync(server.directory, { recursive: true, force: true });
  }

  #program(kind: ServerKind, label: string): ServerProgram {
    if (kind === 'etcd') return { command: this.#options.etcd, args: [] };
    const { profileDirectory } = this.#options;
    const profile =
      profileDirectory === undefined
        ? []
        : [
            '--cpu-prof',
            `--cpu-prof-dir=${profileDirectory}`,
            `--cpu-prof-name=${label}.cpuprofile`,
          ];
    return { command: process.execPath, args: [...profile, this.#programs.ourProgram] };
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));
}

interface ManyKeys {
  readonly loadRate: number;
  readonly loaded: ReturnType<ServerProcess['memory']>;
  readonly restarts: readonly number[];
  readonly restarted: ReturnType<ServerProcess['memory']>;
}
