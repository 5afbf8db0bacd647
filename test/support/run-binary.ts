import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
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
  readonly child: ChildProcessWithoutNullStreams;
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
  const child = spawn(process.execPath, [binaryPath(program), ...argv], {
    env: { PATH: process.env.PATH ?? '', ...options.environment },
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  // A program that does not read its stdin may be gone before all of it is written.
  child.stdin.on('error', () => child.stdin.destroy());
  const done = new Promise<RunResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ stdout: Buffer.concat(stdout), stderr, exitCode: code ?? signal ?? -1 });
    });
  });
  const watchers = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    for (const look of watchers) look();
  });
  const until = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!Buffer.concat(stdout).includes(text)) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
      done.then(({ exitCode }) => {
        reject(new Error(`ended with ${exitCode} before it printed ${text}: ${stderr}`));
      }, reject);
    });
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
