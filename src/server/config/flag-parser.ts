import { quoteGo } from '../../base/go-format.js';
import type { FlagSpec } from './flag-spec.js';
import { defaultFlagValue, type FlagValue, parseFlagValue } from './flag-values.js';

/** Flags by name: their values, and which of them were set. */
export interface FlagSet {
  readonly specs: ReadonlyMap<string, FlagSpec>;
  readonly values: Map<string, FlagValue>;
  /** Set on the command line, by a variable or in the configuration file. */
  readonly explicit: Set<string>;
}

/** All flags at their defaults. */
export function newFlagSet(specs: readonly FlagSpec[]): FlagSet {
  return {
    specs: new Map(specs.map((spec) => [spec.name, spec])),
    values: new Map(specs.map((spec) => [spec.name, defaultFlagValue(spec)])),
    explicit: new Set(),
  };
}

/**
 * Sets a flag from text.
 * @throws Error that says why the text is no value of the flag
 */
export function setFlag(flags: FlagSet, spec: FlagSpec, text: string): void {
  const current = flags.values.get(spec.name) ?? '';
  flags.values.set(spec.name, parseFlagValue(spec, text, current));
  flags.explicit.add(spec.name);
}

/** A command line that Go's flag package would refuse; `message` is its text. */
export class FlagSyntaxError extends Error {}

/** The user asked for help. */
export class HelpRequested extends Error {}

/**
 * Reads a command line as Go's flag package does (reference: server 1.1) and gives back the words
 * that follow the flags.
 * @throws FlagSyntaxError, HelpRequested
 */
export function parseCommandLine(flags: FlagSet, argv: readonly string[]): string[] {
  const rest = [...argv];
  for (let word = rest[0]; word !== undefined; word = rest[0]) {
    if (word.length < 2 || !word.startsWith('-')) return rest;
    rest.shift();
    if (word === '--') return rest;
    const body = word.slice(word.startsWith('--') ? 2 : 1);
    if (body === '' || body.startsWith('-') || body.startsWith('=')) {
      throw new FlagSyntaxError(`bad flag syntax: ${word}`);
    }
    const equals = body.indexOf('=');
    const name = equals < 0 ? body : body.slice(0, equals);
    const spec = flags.specs.get(name);
    if (spec === undefined) {
      if (name === 'help' || name === 'h') throw new HelpRequested();
      throw new FlagSyntaxError(`flag provided but not defined: -${name}`);
    }
    let value = equals < 0 ? undefined : body.slice(equals + 1);
    // A boolean takes a value only behind `=`.
    if (value === undefined) value = takesNoValue(spec) ? 'true' : rest.shift();
    if (value === undefined) throw new FlagSyntaxError(`flag needs an argument: -${name}`);
    setFromCommandLine(flags, spec, value);
  }
  return rest;
}

function takesNoValue(spec: FlagSpec): boolean {
  return spec.kind === 'bool' || spec.kind === 'ignored';
}

function setFromCommandLine(flags: FlagSet, spec: FlagSpec, value: string): void {
  try {
    setFlag(flags, spec, value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FlagSyntaxError(
      takesNoValue(spec)
        ? `invalid boolean value ${quoteGo(value)} for -${spec.name}: ${reason}`
        : `invalid value ${quoteGo(value)} for flag -${spec.name}: ${reason}`,
    );
  }
}
