import { parseGoDuration, quoteGo } from '../../base/go-format.js';
import type { MemberUrl } from '../http/address.js';
import { parseFeatureGates } from './feature-gates.js';
import type { FlagKind, FlagSpec } from './flag-spec.js';
import { parseGoBool, parseGoInteger } from './go-values.js';
import { parseUrlList } from './urls.js';

/** A value as its kind says; durations in nanoseconds, feature gates as their text. */
export type FlagValue = string | boolean | number | readonly string[] | readonly MemberUrl[];

/** A list of origins of which every one is allowed. */
export const ANY_ORIGIN = '*';

/**
 * Reads the text of a flag or variable. `current` stays in force where an empty text changes
 * nothing (lists of URLs).
 * @throws Error with the text of Go's flag package or of etcd's value types
 */
export function parseFlagValue(spec: FlagSpec, text: string, current: FlagValue): FlagValue {
  switch (spec.kind) {
    case 'string':
      return text;
    case 'bool':
      return flagBool(text);
    case 'duration':
      return flagDuration(text);
    case 'urls':
      return text === '' ? current : parseUrlList(text);
    case 'uniqueList':
      return uniqueList(text);
    case 'list':
      return text === '' ? [] : text.split(',');
    case 'choice':
      if (!spec.choices.includes(text)) throw new Error('invalid value');
      return text;
    case 'choices':
      return choices(spec, text);
    case 'origins':
      return text === '' ? current : parseOrigins(text);
    case 'featureGates':
      parseFeatureGates(text);
      return text;
    case 'ignored':
      return current;
    default:
      return flagInteger(spec.kind, text);
  }
}

/** The default of a flag. */
export function defaultFlagValue(spec: FlagSpec): FlagValue {
  const isList = spec.kind === 'urls' || spec.kind === 'uniqueList';
  if (isList && spec.defaultText === '') return [];
  return parseFlagValue(spec, spec.defaultText, '');
}

/**
 * Comma list, sorted and without duplicates. Trap: an empty text is a list of one empty entry for
 * host-whitelist, which then blocks every named host; only an absent flag or `*` allows all.
 */
export function uniqueList(text: string): string[] {
  return [...new Set(text.split(','))].sort();
}

/** `*`, or origins as URLs. */
export function parseOrigins(text: string): string[] {
  return text === ANY_ORIGIN ? [ANY_ORIGIN] : parseUrlList(text).map((url) => url.text);
}

function choices(spec: FlagSpec, text: string): string[] {
  if (text === '') return [];
  const values = text.split(',');
  for (const value of values) {
    if (!spec.choices.includes(value)) throw new Error(`invalid value ${quoteGo(value)}`);
  }
  return values;
}

function flagBool(text: string): boolean {
  const value = parseGoBool(text);
  if (value === undefined) throw new Error('parse error');
  return value;
}

function flagDuration(text: string): number {
  try {
    return parseGoDuration(text);
  } catch {
    throw new Error('parse error');
  }
}

type IntegerKind = Extract<FlagKind, 'uint' | 'uint32' | 'uint64' | 'int' | 'int64'>;

const INTEGER_BOUNDS: Readonly<Record<IntegerKind, readonly [bigint, bigint]>> = {
  uint: [0n, 2n ** 64n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int: [-(2n ** 63n), 2n ** 63n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** Takes Go's prefixes (`0x`, `0o`, `0b`). */
function flagInteger(kind: IntegerKind, text: string): number {
  const [lowest, highest] = INTEGER_BOUNDS[kind];
  // The 32-bit type is etcd's own and passes on the text of strconv.
  const fault = (why: string): Error =>
    kind === 'uint32'
      ? new Error(`strconv.ParseUint: parsing ${quoteGo(text)}: ${why}`)
      : new Error(why === 'invalid syntax' ? 'parse error' : why);
  const value = parseGoInteger(text, lowest < 0n);
  if (value === undefined) throw fault('invalid syntax');
  if (value < lowest || value > highest) throw fault('value out of range');
  return Number(value);
}
