import { parseGoInt } from './args/flag-values.js';
import { CommandFailure, ExitCode } from './exit.js';

/**
 * The lease id of a command line: signed 64-bit, hexadecimal (reference: cli 4.7).
 * @throws CommandFailure
 */
export function leaseIdArgument(text: string): bigint {
  try {
    return parseGoInt(text, 16);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new CommandFailure(
      ExitCode.BadArguments,
      `bad lease ID arg (${cause}), expecting ID in Hex`,
    );
  }
}
