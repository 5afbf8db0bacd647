import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { Bench, type BenchPrograms } from './bench.js';
import { type BenchOptions, parseOptions, USAGE } from './options.js';
import { detailTable, ratioTable } from './report.js';
import type { Figure } from './results.js';

/** Runs the benchmark; the result is the exit code. */
export async function main(args: readonly string[], programs: BenchPrograms): Promise<number> {
  let options: BenchOptions | undefined;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const bench = new Bench(options, programs, (text) => console.error(text));
  process.on('exit', () => bench.abandon());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => process.exit(1));
  }
  try {
    const figures = await bench.run();
    console.log(ratioTable(figures));
    console.log(detailTable(figures));
    if (options.jsonFile !== undefined) writeJson(options.jsonFile, options, figures);
    return 0;
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  }
}

function writeJson(file: string, options: BenchOptions, figures: readonly Figure[]): void {
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  writeFileSync(file, `${JSON.stringify({ machine, options, figures }, null, 2)}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
