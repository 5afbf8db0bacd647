import { isSystemError } from '../platform/errno.js';
import { nodeClock } from '../platform/node-clock.js';
import { CommandFailure, ExitCode } from './exit.js';
import { fileFailure } from './offline-command.js';
import { isOutputFormat } from './printers/create-printer.js';
import type { OutputFormat } from './printers/printer.js';
import { ProgressLine } from './progress-line.js';
import type { Terminal } from './terminal.js';

/** Takes bytes done and bytes in all. */
export type Progress = (done: number, total: number) => void;

/**
 * The value of `--write-out`, if the command has a form for it.
 * @throws CommandFailure
 */
export function supportedFormat(value: unknown, supported: readonly OutputFormat[]): OutputFormat {
  if (typeof value !== 'string' || !isOutputFormat(value)) {
    throw new CommandFailure(ExitCode.BadFeature, 'unsupported output format');
  }
  if (supported.includes(value)) return value;
  throw new CommandFailure(ExitCode.BadFeature, `${value} not supported as output format`);
}

/**
 * Does `work`, and tells on stderr how far it is unless the output is for programs.
 * @throws CommandFailure in Go's words if the system refused something
 */
export async function withProgress<T>(
  terminal: Terminal,
  format: unknown,
  label: string,
  work: (onProgress: Progress | undefined) => Promise<T>,
): Promise<T> {
  const progress = new ProgressLine(terminal, nodeClock, label);
  const onProgress = (done: number, total: number) => progress.update(done, total);
  try {
    return await work(format === 'json' ? undefined : onProgress);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw fileFailure(error.syscall ?? 'open', error.path ?? '', error);
  } finally {
    progress.end();
  }
}
