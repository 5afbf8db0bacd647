import { GoFlagError, GoHelpRequested, parseGoFlags } from '../../base/go-flags.js';
import { HelpRequested } from '../exit.js';
import {
  assignFlag,
  defaultValues,
  type ParsedArguments,
  ParseError,
  standsAlone,
} from './flag-set.js';
import type { Flags, FlagValues } from './flags.js';

/**
 * Parses the command line of a tool that uses Go's flag package: all flags stand before the
 * positionals, with one dash or two; the last one wins (reference: cli 11).
 * @throws ParseError with that package's text, HelpRequested
 */
export function parseGoArguments<Declared extends Flags>(
  flags: Declared,
  argv: readonly string[],
): ParsedArguments<Declared> {
  const values: Record<string, unknown> = { ...defaultValues(flags) };
  const given = new Set<string>();
  const byName = new Map(Object.entries(flags).map(([name, flag]) => [name, { name, flag }]));
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.char !== undefined) byName.set(flag.char, { name, flag });
  }
  try {
    const positionals = parseGoFlags((word) => {
      const found = byName.get(word);
      if (found === undefined) return undefined;
      const { name, flag } = found;
      return {
        takesNoValue: standsAlone(flag),
        set: (text) => withShortReason(() => assignFlag(values, given, name, flag, text)),
      };
    }, argv);
    return { flags: values as FlagValues<Declared>, given, positionals, beforeDash: undefined };
  } catch (error) {
    if (error instanceof GoHelpRequested) throw new HelpRequested();
    if (error instanceof GoFlagError) throw new ParseError(error.message, { cause: error });
    throw error;
  }
}

/** The flag package keeps to itself what Go's number parsers say, but for values out of range. */
function withShortReason(assign: () => void): void {
  try {
    assign();
  } catch (error) {
    const range = 'value out of range';
    const isRange = error instanceof Error && error.message.endsWith(range);
    throw new Error(isRange ? range : 'parse error', { cause: error });
  }
}
