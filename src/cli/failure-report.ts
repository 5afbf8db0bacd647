import { CommandFailure, ExitCode } from './exit.js';
import type { Terminal } from './terminal.js';

/**
 * Prints what ended a command: etcdctl's line, then a hint where there is one. The stack of an
 * unexpected error shows only with ETCDKIT_DEBUG, because users can do nothing with it.
 * @returns the exit code
 */
export function reportFailure(error: unknown, terminal: Terminal): number {
  if (error instanceof CommandFailure) {
    if (error.message !== '') terminal.error(`Error: ${error.message}\n`);
    if (error.hint !== undefined) terminal.error(`${error.hint}\n`);
    return error.exitCode;
  }
  const failure = error instanceof Error ? error : new Error(String(error));
  const showStack = (terminal.environment.ETCDKIT_DEBUG ?? '') !== '';
  terminal.error(`Error: ${(showStack ? failure.stack : undefined) ?? failure.message}\n`);
  return ExitCode.Error;
}
