import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { EXIT_BROKEN_PIPE, ExitCode } from './exit.js';

/** The outside of a command: its streams and environment. Tests pass their own. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** Somebody reads stderr: it may say more than etcdctl does. */
  readonly errorIsTerminal: boolean;
  /** Writes to stdout. Order is kept; text is UTF-8, bytes go out as they are. */
  out(content: string | Uint8Array): void;
  /** Writes to stderr. */
  error(content: string | Uint8Array): void;
  /** Resolves once stdout takes more; absent: it takes everything at once. */
  readonly outDrained?: () => Promise<void>;
}

/** The terminal of this process. */
export const processTerminal: Terminal = {
  environment: process.env,
  get stdin() {
    return process.stdin;
  },
  get errorIsTerminal() {
    return process.stderr.isTTY === true;
  },
  out: (content) => void process.stdout.write(content),
  error: (content) => void process.stderr.write(content),
  outDrained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  },
};

/**
 * Ends the process quietly when the reader of our output goes away (`etcdctl get ... | head`), as
 * SIGPIPE ends a Go program.
 */
export function exitOnBrokenPipe(): void {
  process.stdout.on('error', exitForStreamError);
  process.stderr.on('error', exitForStreamError);
}

/** Waits until all that was written left the process, then ends it. */
export function exitAfterFlush(exitCode: number): void {
  process.exitCode = exitCode;
  flush(process.stdout, () => flush(process.stderr, () => process.exit(exitCode)));
}

function flush(stream: NodeJS.WriteStream, done: () => void): void {
  stream.write('', (error) => {
    // The callback hears of a failed write before the error event does.
    if (error) exitForStreamError(error);
    done();
  });
}

function exitForStreamError(error: NodeJS.ErrnoException): never {
  process.exit(error.code === 'EPIPE' ? EXIT_BROKEN_PIPE : ExitCode.Error);
}
