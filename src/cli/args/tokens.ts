import { CommandFailure, ExitCode } from '../exit.js';
import { unquoteGo } from './go-unquote.js';

const TOKEN = /"(?:[^"\\]|\\.)*"|'[^']*'|[^'"\t\n\f\r ][^\t\n\f\r ]*/g;

/**
 * Splits a line of `txn` or `watch -i` into words: double quotes with Go's escapes, single quotes
 * without, anything else up to the next space (reference: cli 4.4).
 *
 * Trap: quotes inside an unquoted word are literal, so `--lease="5"` keeps them.
 * @throws CommandFailure for a double-quoted word with a bad escape
 */
export function splitWords(line: string): string[] {
  return [...line.matchAll(TOKEN)].map(([word]) => {
    if (word.startsWith("'")) return word.slice(1, -1);
    if (!word.startsWith('"')) return word;
    const content = unquoteGo(word.slice(1, -1));
    if (content === undefined) throw new CommandFailure(ExitCode.InvalidInput, 'invalid syntax');
    return content;
  });
}
