import { singleArgument } from './args/argument-count.js';
import { parseGoUint } from './args/flag-values.js';
import { CommandFailure, ExitCode } from './exit.js';

/**
 * The member id that is the only argument of a command of `member` (reference: cli 5.1).
 * @throws CommandFailure
 */
export function memberIdArgument(positionals: readonly string[]): bigint {
  const text = singleArgument(positionals, 'member ID is not provided');
  try {
    return parseGoUint(text, 16);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const message = `bad member ID arg (${cause}), expecting ID in Hex`;
    throw new CommandFailure(ExitCode.BadArguments, message);
  }
}
