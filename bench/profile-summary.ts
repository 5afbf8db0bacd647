import { readFileSync } from 'node:fs';

const GROUPS: readonly (readonly [group: string, pattern: RegExp])[] = [
  ['idle', /^\(idle\)/],
  ['garbage collection', /^\(garbage collector\)/],
  ['native and run time', /^\((program|root)\)/],
  ['transport', /@grpc\/grpc-js|src\/server\/(rpc|http)\//],
  ['Node http2', /node:internal\/http2/],
  ['Node streams and net', /node:(internal\/(streams|stream_base|event|timers)|net|stream|events)/],
  ['Node, other', /node:/],
  ['codecs', /src\/proto\//],
  ['raft', /src\/(raft|server\/raft-loop)\//],
  ['wal', /src\/storage\/(wal|snap)\//],
  ['backend', /src\/storage\/backend\/|node_modules\/(lmdb|ordered-binary|msgpackr|weak-lru)/],
  ['mvcc', /src\/storage\/mvcc\//],
  ['apply', /src\/server\/(apply|pending)/],
  ['watch', /src\/server\/watch\//],
  ['rest of the server', /src\//],
];
const MICROS_PER_MILLI = 1000;

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/**
 * Where the time of a CPU profile went: self time by group and by function.
 * @param lastSeconds only the end of the profile counts, which is the measured load
 */
export function summarizeProfile(file: string, lastSeconds: number, functions = 40): string {
  const profile: CpuProfile = JSON.parse(readFileSync(file, 'utf8'));
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => [id, frameName(callFrame)] as const),
  );
  const micros = new Map<string, number>();
  let total = 0;
  for (let index = profile.samples.length - 1; index >= 0; index--) {
    if (total > lastSeconds * 1e6) break;
    const name = names.get(profile.samples[index] ?? 0) ?? '(unknown)';
    const delta = profile.timeDeltas[index] ?? 0;
    micros.set(name, (micros.get(name) ?? 0) + delta);
    total += delta;
  }
  const byGroup = new Map<string, number>();
  for (const [name, self] of micros) {
    const group = groupOf(name);
    byGroup.set(group, (byGroup.get(group) ?? 0) + self);
  }
  return [
    `self time, ${Math.round(total / MICROS_PER_MILLI)} ms in all`,
    ...table(byGroup, total, GROUPS.length),
    '',
    ...table(micros, total, functions),
  ].join('\n');
}

function table(micros: ReadonlyMap<string, number>, total: number, rows: number): string[] {
  return [...micros]
    .sort(([, left], [, right]) => right - left)
    .slice(0, rows)
    .map(([name, self]) => `${((self / total) * 100).toFixed(1).padStart(6)} %  ${name}`);
}

function groupOf(name: string): string {
  return GROUPS.find(([, pattern]) => pattern.test(name))?.[0] ?? 'other';
}

const bundles = new Map<string, readonly string[]>();

/** Function and file; in a bundle the file is the one of esbuild's last comment before it. */
function frameName(frame: CpuProfile['nodes'][number]['callFrame']): string {
  const { functionName, url, lineNumber } = frame;
  const name = functionName === '' ? `(anonymous:${lineNumber + 1})` : functionName;
  if (!url.endsWith('/server.mjs'))
    return `${name} ${url.replace(/^.*node_modules/, 'node_modules')}`;
  let lines = bundles.get(url);
  if (lines === undefined) {
    lines = readFileSync(new URL(url), 'utf8').split('\n');
    bundles.set(url, lines);
  }
  for (let line = lineNumber; line >= 0; line--) {
    const file = /^\/\/ (src\/.*|node_modules\/.*)$/.exec(lines[line] ?? '');
    if (file !== null) return `${name} ${file[1]}`;
  }
  return name;
}
