import { CommandFailure, ExitCode } from '../exit.js';

/** @throws CommandFailure with `wrongCount` if there are arguments */
export function noArguments(positionals: readonly string[], wrongCount: string): void {
  if (positionals.length !== 0) throw new CommandFailure(ExitCode.BadArguments, wrongCount);
}

/**
 * The only argument.
 * @throws CommandFailure with `wrongCount`
 */
export function singleArgument(positionals: readonly string[], wrongCount: string): string {
  const [first] = positionals;
  if (first === undefined || positionals.length !== 1) {
    throw new CommandFailure(ExitCode.BadArguments, wrongCount);
  }
  return first;
}

/**
 * Both arguments of a command that takes two.
 * @throws CommandFailure with `wrongCount`
 */
export function twoArguments(
  positionals: readonly string[],
  wrongCount: string,
): readonly [string, string] {
  const [first, second] = positionals;
  if (first === undefined || second === undefined || positionals.length !== 2) {
    throw new CommandFailure(ExitCode.BadArguments, wrongCount);
  }
  return [first, second];
}
