import { quoteGo } from '../../base/go-format.js';
import { argumentBytes } from './argument-bytes.js';

/**
 * A list of words as Go's `%q` prints it (`["a" "b"]`), or with `%#q`'s back quotes, which give way
 * to double quotes where a word holds one.
 */
export function quoteWords(words: readonly string[], quote: '"' | '`' = '"'): string {
  const quoted = words.map((word) =>
    quote === '`' && !/[`\p{Cc}]/u.test(word) ? `\`${word}\`` : quoteGo(argumentBytes(word)),
  );
  return `[${quoted.join(' ')}]`;
}
