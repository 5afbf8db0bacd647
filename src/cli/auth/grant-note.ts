import { quoteGo } from '../../base/go-format.js';
import { argumentBytes } from '../args/argument-bytes.js';
import type { KeyRange } from '../kv/key-range.js';
import { rangeText } from './range-text.js';

const ORDINARY = /[\p{L}\p{N}]/u;
const DEFAULT_SEPARATOR = '/';

/** What a grant covers, for a person to read on stderr. */
export function grantNote(range: KeyRange): string {
  return `Covers ${rangeText(range)}\n`;
}

/**
 * A warning about a prefix that ends within a name: `--prefix /app` covers `/apple` too. Undefined
 * if the prefix ends with a separator, or is empty and so means every key.
 */
export function prefixWarning(prefix: string): string | undefined {
  const characters = [...prefix];
  const last = characters.at(-1);
  if (last === undefined || !ORDINARY.test(last)) return undefined;
  const separator = characters.findLast((character) => !ORDINARY.test(character));
  const wanted = prefix + (separator ?? DEFAULT_SEPARATOR);
  const quote = (text: string): string => quoteGo(argumentBytes(text));
  return (
    `Warning: the prefix has no separator at its end, so it covers ${quote(`${prefix}2`)} as well ` +
    `as ${quote(`${wanted}2`)}; if only the latter is meant, revoke it and grant --prefix ${quote(wanted)}\n`
  );
}
