import { parseGoDuration, quoteGo } from '../../base/go-format.js';
import { argumentBytes } from './argument-bytes.js';
import type { FlagKind, FlagKindValues } from './flags.js';
import { parseCsvRecord } from './go-csv.js';

const NANOS_PER_MILLI = 1e6;
const MAX_INT64 = (1n << 63n) - 1n;
const MAX_UINT64 = (1n << 64n) - 1n;

const TRUE_WORDS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE_WORDS = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** Reads the value of a flag. All throw an Error with the text of Go's own parser. */
export const parseFlagValue: {
  readonly [Kind in FlagKind]: (text: string) => FlagKindValues[Kind];
} = {
  bool: parseGoBool,
  string: (text) => text,
  int: (text) => clampToSafe(parseGoInt(text, 0)),
  uint: (text) => parseGoUint(text, 0),
  duration: (text) => parseGoDuration(text) / NANOS_PER_MILLI,
  strings: (text) => (text === '' ? [] : parseCsvRecord(text)),
};

/** `strconv.ParseBool`. */
export function parseGoBool(text: string): boolean {
  if (TRUE_WORDS.has(text)) return true;
  if (FALSE_WORDS.has(text)) return false;
  throw numberError('ParseBool', text, 'invalid syntax');
}

/**
 * `strconv.ParseInt(text, base, 64)`; base 0 reads `0x`, `0o`, `0b`, a leading `0` (octal) and
 * underscores between digits.
 */
export function parseGoInt(text: string, base: 0 | 10 | 16): bigint {
  const negative = text.startsWith('-');
  const digits = negative || text.startsWith('+') ? text.slice(1) : text;
  const magnitude = parseDigits(digits, base);
  if (magnitude === undefined) throw numberError('ParseInt', text, 'invalid syntax');
  const value = negative ? -magnitude : magnitude;
  if (value > MAX_INT64 || value < -MAX_INT64 - 1n) {
    throw numberError('ParseInt', text, 'value out of range');
  }
  return value;
}

/** `strconv.ParseUint(text, base, 64)`. */
export function parseGoUint(text: string, base: 0 | 10 | 16): bigint {
  const value = parseDigits(text, base);
  if (value === undefined) throw numberError('ParseUint', text, 'invalid syntax');
  if (value > MAX_UINT64) throw numberError('ParseUint', text, 'value out of range');
  return value;
}

/**
 * Revisions and limits beyond 2^53 mean "more than there can be": the nearest safe integer means
 * the same.
 */
export function clampToSafe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}

function parseDigits(text: string, base: 0 | 10 | 16): bigint | undefined {
  if (base === 10) return /^\d+$/.test(text) ? BigInt(text) : undefined;
  if (base === 16) return /^[\da-f]+$/i.test(text) ? BigInt(`0x${text}`) : undefined;
  // An underscore stands between two digits, or between the base prefix and a digit.
  if (/^_|_$|__/.test(text) || (text.includes('_') && !/^(0|[1-9])/.test(text))) return undefined;
  const plain = text.replaceAll('_', '').toLowerCase();
  if (/^0x[\da-f]+$|^0o[0-7]+$|^0b[01]+$/.test(plain)) return BigInt(plain);
  if (/^0[0-7]+$/.test(plain)) return BigInt(`0o${plain.slice(1)}`);
  return /^(0|[1-9]\d*)$/.test(plain) ? BigInt(plain) : undefined;
}

function numberError(parser: string, text: string, cause: string): Error {
  return new Error(`strconv.${parser}: parsing ${quoteGo(argumentBytes(text))}: ${cause}`);
}
