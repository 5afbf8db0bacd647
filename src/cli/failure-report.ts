import { CommandFailure, ExitCode } from './exit.js';
import type { Terminal } from './terminal.js';

/**
 * Prints what ended a command: the tool's line, then a hint where there is one. Stack traces show
 * only under `--debug`, because users can do nothing with them.
 * @param prefix what stands before the line's text
 * @returns the exit code
 */
export function reportFailure(
  error: unknown,
  terminal: Terminal,
  debug: boolean,
  prefix = 'Error: ',
): number {
  const message = error instanceof Error ? error.message : String(error);
  if (message !== '') terminal.error(`${prefix}${message}\n`);
  if (error instanceof CommandFailure) {
    if (error.hint !== undefined) terminal.error(`${error.hint}\n`);
    if (debug && error.cause instanceof Error) terminal.error(`${error.cause.stack}\n`);
    return error.exitCode;
  }
  if (debug && error instanceof Error) terminal.error(`${error.stack}\n`);
  return ExitCode.Error;
}
