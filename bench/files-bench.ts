import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadResult } from './load/job.js';
import type { BenchOptions, ServerKind } from './options.js';
import { type Figure, medianOf, plainFigure, type Target } from './results.js';
import type { ServerProcess, ServerProgram } from './server-process.js';
import { runTool, type ToolRun } from './tool-process.js';
import { fillLoad, type Load, manyCalls } from './workloads.js';

const MEBIBYTE = 2 ** 20;
const SAVE_TARGET: Target = { most: 1 };
const READ_TARGET: Target = { most: 1.5 };
const MEMORY_MEBIBYTES = 300;
/** What writers keep of their rate while a snapshot is saved. */
const WRITERS_TARGET: Target = { least: 0.67 };

/** What is done with a snapshot of many keys. */
interface Step {
  readonly title: string;
  readonly target: Target | undefined;
  readonly args: (place: Place) => readonly string[];
}

interface Place {
  readonly port: number;
  /** Snapshot of this kind of server. */
  readonly snapshot: string;
  /** A file, or a directory, that is not there yet and is removed afterwards. */
  readonly scratch: string;
}

const endpoint = ({ port }: Place) => `--endpoints=127.0.0.1:${port}`;

const STEPS: readonly Step[] = [
  {
    title: 'snapshot save',
    target: SAVE_TARGET,
    args: (place) => [endpoint(place), 'snapshot', 'save', place.scratch],
  },
  {
    title: 'snapshot status',
    target: READ_TARGET,
    args: ({ snapshot }) => ['snapshot', 'status', snapshot],
  },
  {
    title: 'snapshot restore',
    target: READ_TARGET,
    args: ({ snapshot, scratch }) => ['snapshot', 'restore', snapshot, `--data-dir=${scratch}`],
  },
];

export interface FilesBenchOptions {
  readonly options: BenchOptions;
  /** Where snapshots go; it exists. */
  readonly directory: string;
  readonly progress: (text: string) => void;
  /** Prepares a server that is ended with the benchmark. */
  readonly create: (kind: ServerKind, label: string) => Promise<ServerProcess>;
  readonly end: (server: ServerProcess) => Promise<void>;
  readonly tool: (kind: ServerKind) => ServerProgram;
  readonly load: (server: ServerProcess, load: Load) => Promise<LoadResult>;
  /** Carries something out whose failure does not end the rest. */
  readonly attempt: (what: string, work: () => Promise<void>) => Promise<void>;
  readonly pause: () => Promise<void>;
}

/** Saves, sums up and restores snapshots of many keys with both tools, in turn. */
export class FilesBench {
  readonly #parts: FilesBenchOptions;
  readonly #servers = new Map<ServerKind, ServerProcess>();

  constructor(parts: FilesBenchOptions) {
    this.#parts = parts;
  }

  async run(): Promise<Figure[]> {
    const { options, attempt, create, load, end, tool } = this.#parts;
    for (const kind of options.servers) {
      await attempt(`${kind}, files`, async () => {
        const server = await create(kind, 'files');
        await server.start();
        await load(server, fillLoad(options.manyKeys));
        const snapshot = this.#snapshotOf(kind);
        const save = [`--endpoints=127.0.0.1:${server.port}`, 'snapshot', 'save', snapshot];
        await runTool(tool(kind), save);
        this.#servers.set(kind, server);
      });
    }
    const figures: Figure[] = [];
    for (const step of STEPS) figures.push(...(await this.#step(step)));
    figures.push(...(await this.#crossedSaves()));
    figures.push(...(await this.#writers()));
    for (const server of this.#servers.values()) await end(server);
    return figures;
  }

  #snapshotOf(kind: ServerKind): string {
    return join(this.#parts.directory, `${kind}.snapshot`);
  }

  /** Each tool with the server, or the snapshot, of its own kind. */
  async #step({ title, target, args }: Step): Promise<Figure[]> {
    const results = await this.#inTurn(title, (kind, server) =>
      this.#runOnce(kind, (scratch) =>
        args({ port: server.port, snapshot: this.#snapshotOf(kind), scratch }),
      ),
    );
    return this.#timeAndMemory(title, target, results);
  }

  /** Our tool with a real server, and the other way round. */
  async #crossedSaves(): Promise<Figure[]> {
    if (this.#servers.size < 2) return [];
    const title = '  by the tool of the other';
    const results = await this.#inTurn(title, (kind, server) =>
      this.#runOnce(kind === 'ours' ? 'etcd' : 'ours', (scratch) => [
        `--endpoints=127.0.0.1:${server.port}`,
        'snapshot',
        'save',
        scratch,
      ]),
    );
    return this.#timeAndMemory(title, undefined, results).slice(0, 1);
  }

  async #runOnce(kind: ServerKind, args: (scratch: string) => readonly string[]): Promise<ToolRun> {
    const scratch = join(this.#parts.directory, `${kind}.scratch`);
    try {
      return await runTool(this.#parts.tool(kind), args(scratch));
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }

  async #inTurn<T>(
    title: string,
    work: (kind: ServerKind, server: ServerProcess) => Promise<T>,
  ): Promise<Map<ServerKind, T[]>> {
    const { options, attempt, pause } = this.#parts;
    const results = new Map<ServerKind, T[]>();
    for (const kind of this.#servers.keys()) results.set(kind, []);
    for (let run = 0; run < options.runs; run++) {
      const order = run % 2 === 0 ? [...this.#servers] : [...this.#servers].reverse();
      for (const [kind, server] of order) {
        await attempt(`${kind}, ${title}`, async () => {
          await pause();
          results.get(kind)?.push(await work(kind, server));
        });
      }
    }
    return results;
  }

  #timeAndMemory(
    title: string,
    target: Target | undefined,
    results: ReadonlyMap<ServerKind, readonly ToolRun[]>,
  ): Figure[] {
    const samples = (read: (run: ToolRun) => number) =>
      new Map([...results].map(([kind, runs]) => [kind, runs.map(read)] as const));
    for (const [kind, runs] of results) {
      const told = runs.map(
        ({ seconds, peak }) => `${seconds.toFixed(2)} s with ${Math.round(peak / MEBIBYTE)} MiB`,
      );
      this.#parts.progress(`${title}: ${kind} ${told.join(', ')}`);
    }
    const time = plainFigure(
      { workload: 'files', title, unit: 's', target },
      samples(({ seconds }) => seconds),
    );
    const memory = plainFigure(
      { workload: 'files', title: '  memory at its peak', unit: 'MiB', target: undefined },
      samples(({ peak }) => peak / MEBIBYTE),
    );
    // The bound is one of ours, whatever the other tool takes.
    const { ours } = memory.values;
    if (target !== undefined && ours !== undefined && ours > MEMORY_MEBIBYTES) {
      this.#parts.progress(`${title}: ${Math.round(ours)} MiB are more than ${MEMORY_MEBIBYTES}`);
    }
    return [time, memory];
  }

  /** How many writes there are while snapshots are saved, one after the other, to how many else. */
  async #writers(): Promise<Figure[]> {
    const { options } = this.#parts;
    const title = 'puts while a snapshot is saved, to without';
    const load = manyCalls({ type: 'put', keyCount: options.manyKeys }, options.seconds);
    const shares = await this.#inTurn(title, async (kind, server) => {
      const without = await this.#rate(server, load);
      const saving = this.#saveUntilStopped(kind, server);
      const during = await this.#rate(server, load);
      await saving.stop();
      this.#parts.progress(
        `${title}: ${kind} ${Math.round(during)} of ${Math.round(without)} puts/s`,
      );
      return during / without;
    });
    const share = plainFigure(
      { workload: 'files', title, unit: 'share', target: undefined },
      shares,
    );
    const ratio = medianOf(shares.get('ours') ?? []);
    // The target is for our own share, not for its ratio to the one of a real etcd.
    return [{ ...share, ratio: ratio ?? share.ratio, target: WRITERS_TARGET }];
  }

  async #rate(server: ServerProcess, load: Load): Promise<number> {
    const { completed, seconds } = await this.#parts.load(server, load);
    return completed / seconds;
  }

  #saveUntilStopped(kind: ServerKind, server: ServerProcess): { stop(): Promise<void> } {
    let isStopped = false;
    const save = async (): Promise<void> => {
      while (!isStopped) {
        await this.#runOnce(kind, (scratch) => [
          `--endpoints=127.0.0.1:${server.port}`,
          'snapshot',
          'save',
          scratch,
        ]);
      }
    };
    const saving = save();
    // Told by stop; until then nobody waits for it.
    saving.catch(() => {});
    return {
      stop: () => {
        isStopped = true;
        return saving;
      },
    };
  }
}
