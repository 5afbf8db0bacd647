import { quoteGo } from './go-format.js';

/** A flag as Go's flag package sees it. */
export interface GoFlag {
  /** Stands alone: a value is only read behind `=`. */
  readonly takesNoValue: boolean;
  /** Takes a value as text. @throws Error that says why it is no value of the flag */
  readonly set: (text: string) => void;
}

/** A command line that Go's flag package would refuse; `message` is its text. */
export class GoFlagError extends Error {
  override readonly name = 'GoFlagError';
}

/** The command line asks for help: `-h` or `-help`, and the program has no such flag. */
export class GoHelpRequested extends Error {
  override readonly name = 'GoHelpRequested';
}

/**
 * Reads a command line as Go's flag package does: one dash or two, values behind `=` or in the
 * next word (reference: server 1.1, cli 11).
 *
 * Trap: the flags end at the first word that is none, so `DIR -raw` has no flag at all.
 * @param find the flag of that name
 * @returns the words behind the flags
 * @throws GoFlagError, GoHelpRequested
 */
export function parseGoFlags(
  find: (name: string) => GoFlag | undefined,
  argv: readonly string[],
): string[] {
  const rest = [...argv];
  for (let word = rest[0]; word !== undefined; word = rest[0]) {
    if (word.length < 2 || !word.startsWith('-')) return rest;
    rest.shift();
    if (word === '--') return rest;
    const body = word.slice(word.startsWith('--') ? 2 : 1);
    if (body === '' || body.startsWith('-') || body.startsWith('=')) {
      throw new GoFlagError(`bad flag syntax: ${word}`);
    }
    const equals = body.indexOf('=');
    const name = equals < 0 ? body : body.slice(0, equals);
    const flag = find(name);
    if (flag === undefined) {
      if (name === 'help' || name === 'h') throw new GoHelpRequested();
      throw new GoFlagError(`flag provided but not defined: -${name}`);
    }
    let value = equals < 0 ? undefined : body.slice(equals + 1);
    if (value === undefined) value = flag.takesNoValue ? 'true' : rest.shift();
    if (value === undefined) throw new GoFlagError(`flag needs an argument: -${name}`);
    set(flag, name, value);
  }
  return rest;
}

/** @throws GoFlagError */
function set(flag: GoFlag, name: string, value: string): void {
  try {
    flag.set(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GoFlagError(
      flag.takesNoValue
        ? `invalid boolean value ${quoteGo(value)} for -${name}: ${reason}`
        : `invalid value ${quoteGo(value)} for flag -${name}: ${reason}`,
    );
  }
}
