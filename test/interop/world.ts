import { type ChildProcess, spawn } from 'node:child_process';
import { cleanOutcome } from './clean.js';
import type { Invocation } from './invocation.js';
import { RawClient } from './raw-client.js';
import { advanceTo, currentRevision, learnerId } from './steps.js';

/** A program that takes etcdctl's command lines. */
export interface Program {
  readonly command: readonly [string, ...string[]];
  /** Variables it needs to be an etcdctl of API 3. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a program did, with all that varies replaced by placeholders. Bytes as Latin-1. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number | NodeJS.Signals;
}

const LIMIT_MILLIS = 20_000;
/** For output that follows what was waited for. */
const GRACE_MILLIS = 50;

/** A program with a server of its own. */
export class World {
  readonly client: RawClient;
  readonly #program: Program;
  readonly #endpoint: string;

  constructor(program: Program, endpoint: string) {
    this.#program = program;
    this.#endpoint = endpoint;
    this.client = new RawClient(endpoint);
  }

  /** Runs a command line on the server as it is after the setup. */
  async run(invocation: Invocation): Promise<Outcome> {
    for (const step of invocation.setup ?? []) await step(this.client);
    // Not everybody may ask for it, and most command lines don't need it.
    const usesRevision = /\{rev/.test(JSON.stringify(invocation));
    const revision = usesRevision ? await currentRevision(this.client) : 0;
    const learner = JSON.stringify(invocation).includes('{learner}')
      ? await learnerId(this.client)
      : '';
    const fill = (text: string): string =>
      text
        .replaceAll('{learner}', learner)
        .replace(/\{rev([+-]\d+)?\}/g, (_, offset = '0') => String(revision + Number(offset)))
        .replaceAll('{endpoint}', this.#endpoint);
    const { stdin = '', environment = {} } = invocation;
    const variables = Object.entries(environment).map(([name, value]) => [name, fill(value)]);
    const raw = await this.#spawn({
      ...invocation,
      argv: invocation.argv.map(fill),
      environment: Object.fromEntries(variables),
      stdin: typeof stdin === 'string' ? fill(stdin) : stdin,
    });
    return cleanOutcome(raw, this.#endpoint, invocation.varies ?? []);
  }

  close(): void {
    this.client.close();
  }

  #spawn(invocation: Invocation): Promise<Outcome> {
    const { argv, environment, stdin = '', meanwhile, endWhen, endWith = 'SIGINT' } = invocation;
    // Given as a flag, an endpoint of the invocation's own replaces none of it.
    const given = argv.some((word) => word.startsWith('--endpoints'));
    const named = environment?.ETCDCTL_ENDPOINTS !== undefined;
    const endpoints = given || named ? [] : [`--endpoints=${this.#endpoint}`];
    const child = start([...this.#program.command, ...endpoints, ...argv], {
      ...this.#program.environment,
      ...environment,
    });
    return new Promise((resolve, reject) => {
      const output = { stdout: '', stderr: '' };
      let isDisturbed = false;
      const look = (): void => {
        const all = output.stdout + output.stderr;
        if (meanwhile !== undefined && !isDisturbed && (meanwhile.when?.test(all) ?? true)) {
          isDisturbed = true;
          this.#act(meanwhile.steps).catch(reject);
        }
        if (endWhen?.test(all)) setTimeout(() => child.kill(endWith), GRACE_MILLIS);
      };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name]?.on('data', (chunk: Buffer) => {
          output[name] += chunk.toString('latin1');
          look();
        });
      }
      const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MILLIS);
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        resolve({ ...output, exit: code ?? signal ?? -1 });
      });
      // A program that does not read its stdin may be gone before all of it is written.
      child.stdin?.on('error', () => child.stdin?.destroy());
      if (endWhen === undefined) child.stdin?.end(stdin);
      else child.stdin?.write(stdin);
      look();
    });
  }

  async #act(steps: Invocation['setup']): Promise<void> {
    for (const step of steps ?? []) await step(this.client);
  }
}

/** Brings the servers of all worlds to one revision, with nothing in them. */
export async function level(worlds: readonly World[]): Promise<void> {
  const revisions = await Promise.all(worlds.map(({ client }) => currentRevision(client)));
  const next = Math.max(...revisions) + 1;
  await Promise.all(worlds.map(({ client }) => advanceTo(client, next)));
}

/** Starts a program. Characters from U+0080 to U+00FF in its arguments are bytes if none is above. */
function start(argv: readonly string[], environment: Record<string, string>): ChildProcess {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  const isBinary =
    argv.some((word) => /[\x80-\xff]/.test(word)) &&
    !argv.some((word) => /[\u0100-\uffff]/.test(word));
  if (!isBinary) {
    const [command = '', ...rest] = argv;
    return spawn(command, rest, { env });
  }
  // Arguments go through UTF-8 on their way to a process: let a shell make the bytes.
  const words = argv.map((word) => `"$(printf '${octal(word)}')"`);
  return spawn('/bin/sh', ['-c', `exec ${words.join(' ')}`], { env });
}

function octal(word: string): string {
  return [...Buffer.from(word, 'latin1')]
    .map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
    .join('');
}
