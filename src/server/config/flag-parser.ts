import { parseGoFlags } from '../../base/go-flags.js';
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

/**
 * Reads a command line as Go's flag package does (reference: server 1.1) and gives back the words
 * that follow the flags.
 * @throws GoFlagError, GoHelpRequested
 */
export function parseCommandLine(flags: FlagSet, argv: readonly string[]): string[] {
  return parseGoFlags((name) => {
    const spec = flags.specs.get(name);
    if (spec === undefined) return undefined;
    const takesNoValue = spec.kind === 'bool' || spec.kind === 'ignored';
    return { takesNoValue, set: (text) => setFlag(flags, spec, text) };
  }, argv);
}
