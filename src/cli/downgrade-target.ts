import { CommandFailure, ExitCode } from './exit.js';

/**
 * The version that a `downgrade` command goes to (reference: cli 5.9).
 * @throws CommandFailure
 */
export function downgradeTarget([version, ...others]: readonly string[]): string {
  if (version === undefined) throw badArguments('TARGET_VERSION not provided');
  if (others.length > 0) throw badArguments('too many arguments');
  if (version === '') throw badArguments('target version not provided');
  return version;
}

function badArguments(message: string): CommandFailure {
  return new CommandFailure(ExitCode.BadArguments, message);
}
