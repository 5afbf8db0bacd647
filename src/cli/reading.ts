import { isSystemError } from '../platform/errno.js';
import { nodeClock } from '../platform/node-clock.js';
import { fileFailure } from './offline-command.js';
import { ProgressLine } from './progress-line.js';
import type { Terminal } from './terminal.js';

/** Takes bytes done and bytes in all. */
export type Progress = (done: number, total: number) => void;

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
