import { readdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { Bench, type BenchPrograms } from './bench.js';
import { type BenchOptions, parseOptions, USAGE } from './options.js';
import { summarizeProfile } from './profile-summary.js';
import { detailTable, ratioTable } from './report.js';
import { type Figure, isMet } from './results.js';

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
    if (options.profileDirectory !== undefined) writeSummaries(options.profileDirectory, options);
    if (bench.failures.length > 0) console.error(`${bench.failures.length} failures, see above`);
    const isMissed = figures.some(({ ratio, target }) => target && ratio && !isMet(ratio, target));
    return bench.failures.length > 0 || (options.check && isMissed) ? 1 : 0;
  } catch (error) {
    console.error(messageOf(error));
    return 1;
  }
}

function writeJson(file: string, options: BenchOptions, figures: readonly Figure[]): void {
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    load: loadavg(),
    node: process.version,
  };
  writeFileSync(file, `${JSON.stringify({ machine, options, figures }, null, 2)}\n`);
}

/** Beside each profile a text of the same name: where the time went. */
function writeSummaries(directory: string, { seconds }: BenchOptions): void {
  for (const name of readdirSync(directory)) {
    if (!name.endsWith('.cpuprofile')) continue;
    const file = join(directory, name);
    writeFileSync(`${file}.txt`, `${summarizeProfile(file, seconds)}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
