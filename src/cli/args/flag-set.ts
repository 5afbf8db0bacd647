import { quoteGo } from '../../base/go-format.js';
import { argumentBytes } from './argument-bytes.js';
import { parseFlagValue } from './flag-values.js';
import type { Flag, Flags, FlagValues } from './flags.js';

/** A command line that does not parse. The text is pflag's (reference: cli 1.1). */
export class ParseError extends Error {
  override readonly name = 'ParseError';
}

/** A parsed command line. */
export interface ParsedArguments<Declared extends Flags> {
  readonly flags: FlagValues<Declared>;
  /** Names of the flags given on the command line. */
  readonly given: ReadonlySet<string>;
  readonly positionals: readonly string[];
  /** How many positionals stood before `--`; undefined without a `--`. */
  readonly beforeDash: number | undefined;
}

/** The values that flags have when none is given. */
export function defaultValues<Declared extends Flags>(flags: Declared): FlagValues<Declared> {
  const entries = Object.entries(flags).map(([name, flag]) => [
    name,
    parseFlagValue[flag.kind](flag.defaultText),
  ]);
  return Object.fromEntries(entries);
}

/** Whether a flag stands alone: `--prefix` needs no value, `--rev` does. */
export function standsAlone(flag: Flag | undefined): boolean {
  return flag?.kind === 'bool';
}

/**
 * Parses a command line by the rules of pflag: flags anywhere before `--`, `--name=value`,
 * `--name value`, `-wjson`, `-w json`, `-w=json`, grouped shorts; the last scalar wins, lists add up.
 *
 * Trap: `--hex false` leaves hex on and adds a positional `false`.
 * @throws ParseError
 */
export function parseArguments<Declared extends Flags>(
  flags: Declared,
  argv: readonly string[],
): ParsedArguments<Declared> {
  const parser = new Parser(flags);
  parser.parse(argv);
  return {
    flags: parser.values as FlagValues<Declared>,
    given: parser.given,
    positionals: parser.positionals,
    beforeDash: parser.beforeDash,
  };
}

/** Parses one value for a flag and merges it into `values`. `given` tells if it is the first. */
export function assignFlag(
  values: Record<string, unknown>,
  given: Set<string>,
  name: string,
  flag: Flag,
  text: string,
): void {
  const value = parseFlagValue[flag.kind](text);
  const earlier = values[name];
  const append = Array.isArray(value) && Array.isArray(earlier) && given.has(name);
  values[name] = append ? [...earlier, ...value] : value;
  given.add(name);
}

class Parser {
  readonly values: Record<string, unknown>;
  readonly given = new Set<string>();
  readonly positionals: string[] = [];
  beforeDash: number | undefined;
  readonly #flags: Flags;
  readonly #shorts = new Map<string, string>();
  #rest: string[] = [];

  constructor(flags: Flags) {
    this.#flags = flags;
    this.values = { ...defaultValues(flags) };
    for (const [name, flag] of Object.entries(flags)) {
      if (flag.char !== undefined) this.#shorts.set(flag.char, name);
    }
  }

  parse(argv: readonly string[]): void {
    this.#rest = [...argv];
    for (let word = this.#rest.shift(); word !== undefined; word = this.#rest.shift()) {
      if (word === '--') {
        this.beforeDash = this.positionals.length;
        this.positionals.push(...this.#rest);
        return;
      }
      if (word.startsWith('--')) this.#long(word);
      else if (word.startsWith('-') && word.length > 1) this.#shortGroup(word);
      else this.positionals.push(word);
    }
  }

  #long(word: string): void {
    const body = word.slice(2);
    if (body.startsWith('-') || body.startsWith('=')) {
      throw new ParseError(`bad flag syntax: ${word}`);
    }
    const equals = body.indexOf('=');
    const name = equals < 0 ? body : body.slice(0, equals);
    const flag = this.#find(name);
    if (flag === undefined) throw new ParseError(`unknown flag: --${name}`);
    if (equals >= 0) this.#assign(name, flag, body.slice(equals + 1));
    else if (standsAlone(flag)) this.#assign(name, flag, 'true');
    else this.#assign(name, flag, this.#next(`--${name}`));
  }

  #shortGroup(word: string): void {
    let group = word.slice(1);
    while (group !== '') {
      const letter = group.charAt(0);
      const name = this.#shorts.get(letter);
      const flag = name === undefined ? undefined : this.#find(name);
      if (name === undefined || flag === undefined) {
        throw new ParseError(`unknown shorthand flag: ${quoteLetter(letter)} in -${group}`);
      }
      if (group.length > 2 && group[1] === '=') {
        this.#assign(name, flag, group.slice(2));
        return;
      }
      if (standsAlone(flag)) {
        this.#assign(name, flag, 'true');
        group = group.slice(1);
        continue;
      }
      const attached = group.slice(1);
      const value = attached === '' ? this.#next(`${quoteLetter(letter)} in -${group}`) : attached;
      this.#assign(name, flag, value);
      return;
    }
  }

  #find(name: string): Flag | undefined {
    return Object.hasOwn(this.#flags, name) ? this.#flags[name] : undefined;
  }

  #next(shown: string): string {
    const value = this.#rest.shift();
    if (value === undefined) throw new ParseError(`flag needs an argument: ${shown}`);
    return value;
  }

  #assign(name: string, flag: Flag, text: string): void {
    try {
      assignFlag(this.values, this.given, name, flag, text);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      const shown = flag.char === undefined ? `--${name}` : `-${flag.char}, --${name}`;
      const value = quoteGo(argumentBytes(text));
      throw new ParseError(`invalid argument ${value} for "${shown}" flag: ${cause}`);
    }
  }
}

/** Go's `%q` of a single byte. */
function quoteLetter(letter: string): string {
  return letter === "'" ? "'\\''" : `'${letter}'`;
}
