import type { Readable } from 'node:stream';
import { EXIT_BROKEN_PIPE } from './exit.js';

/** The outside of a command: its streams and environment. Tests pass their own. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** Writes to stdout. Order is kept; text is UTF-8, bytes go out as they are. */
  out(content: string | Uint8Array): void;
  /** Writes to stderr. */
  error(content: string | Uint8Array): void;
}

/** The terminal of this process. */
export const processTerminal: Terminal = {
  environment: process.env,
  get stdin() {
    return process.stdin;
  },
  out: (content) => void process.stdout.write(content),
  error: (content) => void process.stderr.write(content),
};

/**
 * Ends the process quietly when the reader of our output goes away (`etcdctl get ... | head`), as
 * SIGPIPE ends a Go program.
 */
export function exitOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? EXIT_BROKEN_PIPE : 1);
    });
  }
}

/** Waits until all that was written left the process, then ends it. */
export function exitAfterFlush(exitCode: number): void {
  process.exitCode = exitCode;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
}
