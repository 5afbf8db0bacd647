import { once } from 'node:events';
import { execa } from 'execa';
import { binaryPath, type Program } from './binary.js';

/** What a program did. */
export interface RunResult {
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly exitCode: number | NodeJS.Signals;
}

export interface RunOptions {
  readonly stdin?: string | Buffer;
  /** Variables beside PATH. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A program of bin/ that has been started. */
export interface Running {
  readonly child: ReturnType<typeof launch>;
  readonly done: Promise<RunResult>;
  /** Resolves when stdout holds `text`; rejects if the program ends before. */
  until(text: string): Promise<void>;
}

/** Starts a program of bin/ and leaves its stdin open. */
export function startBinary(
  program: Program,
  argv: readonly string[],
  options: RunOptions = {},
): Running {
  const child = launch(program, argv, options);
  const done = child.then(({ stdout, stderr, exitCode, signal, cause }) => {
    const ending = exitCode ?? signal;
    if (ending === undefined) throw cause;
    return {
      stdout: Buffer.from(stdout),
      stderr: Buffer.from(stderr).toString(),
      exitCode: ending,
    };
  });
  let printed = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    printed = Buffer.concat([printed, chunk]);
  });
  const until = async (text: string): Promise<void> => {
    while (!printed.includes(text)) {
      const more = once(child.stdout, 'data').then(() => undefined);
      const end = await Promise.race([more, done]);
      if (end === undefined || printed.includes(text)) continue;
      throw new Error(`ended with ${end.exitCode} before it printed ${text}: ${end.stderr}`);
    }
  };
  return { child, done, until };
}

/** Runs a program of bin/ to its end. */
export function runBinary(
  program: Program,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { child, done } = startBinary(program, argv, options);
  child.stdin.end(options.stdin ?? '');
  return done;
}

function launch(program: Program, argv: readonly string[], { environment }: RunOptions) {
  return execa(process.execPath, [binaryPath(program), ...argv], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    extendEnv: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    forceKillAfterDelay: false,
  });
}
