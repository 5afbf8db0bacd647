/** One case of a data-driven test file (grammar: reference, raft A13). */
export interface Case {
  readonly command: string;
  readonly args: readonly CommandArg[];
  readonly input: string;
  readonly expected: string;
  /** Line of the directive, from 1. */
  readonly line: number;
}

export interface CommandArg {
  readonly key: string;
  /** Empty for a bare argument. */
  readonly values: readonly string[];
}

const SEPARATOR = '----';

export function parseCases(text: string): Case[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const cases: Case[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    let directive = (lines[at++] ?? '').trim();
    if (directive === '' || directive.startsWith('#')) continue;
    while (directive.endsWith('\\')) {
      directive = `${directive.slice(0, -1).trim()} ${(lines[at++] ?? '').trim()}`;
    }
    const input: string[] = [];
    while (at < lines.length && lines[at] !== SEPARATOR) input.push(lines[at++] ?? '');
    if (at++ >= lines.length) throw new Error(`line ${start + 1}: no ${SEPARATOR}`);
    const expected: string[] = [];
    if (lines[at] === SEPARATOR) {
      at++;
      while (lines[at] !== SEPARATOR || lines[at + 1] !== SEPARATOR) {
        if (at >= lines.length) throw new Error(`line ${start + 1}: output does not end`);
        expected.push(lines[at++] ?? '');
      }
      at += 2;
    } else {
      while (at < lines.length && lines[at]?.trim() !== '') expected.push(lines[at++] ?? '');
    }
    const [command = '', ...args] = splitDirective(directive);
    cases.push({
      command,
      args: args.map(parseArg),
      input: input.join('\n').trim(),
      expected: expected.map((line) => `${line}\n`).join(''),
      line: start + 1,
    });
  }
  return cases;
}

/** Splits at blanks outside of parentheses. */
function splitDirective(directive: string): string[] {
  const words: string[] = [];
  let word = '';
  let depth = 0;
  for (const character of directive) {
    if (character === ' ' && depth === 0) {
      if (word !== '') words.push(word);
      word = '';
      continue;
    }
    if (character === '(') depth++;
    if (character === ')') depth--;
    word += character;
  }
  if (word !== '') words.push(word);
  return words;
}

function parseArg(word: string): CommandArg {
  const equals = word.indexOf('=');
  if (equals < 0) return { key: word, values: [] };
  const key = word.slice(0, equals);
  const value = word.slice(equals + 1);
  if (!value.startsWith('(')) return { key, values: [value] };
  return {
    key,
    values: value
      .slice(1, -1)
      .split(',')
      .map((part) => part.trim()),
  };
}

/** A result as the files hold it: a non-empty one ends with a newline. */
export function asOutput(result: string): string {
  return result === '' || result.endsWith('\n') ? result : `${result}\n`;
}
