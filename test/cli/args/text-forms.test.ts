import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  argumentBytes,
  argumentText,
  restoreArguments,
} from '../../../src/cli/args/argument-bytes.js';
import { parseCsvRecord } from '../../../src/cli/args/go-csv.js';
import { unquoteGo } from '../../../src/cli/args/go-unquote.js';
import { quoteWords } from '../../../src/cli/args/quote-words.js';
import { splitWords } from '../../../src/cli/args/tokens.js';
import { CommandFailure } from '../../../src/cli/exit.js';

describe('argument bytes', () => {
  it('survive the way through a string, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(argumentBytes(argumentText(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('are UTF-8 for ordinary text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(argumentText(Buffer.from(text))).toBe(text);
      }),
    );
  });

  it('are restored from the command line of the process', () => {
    const raw = Buffer.from('node\0main.js\0put\0\xff\0\0', 'latin1');
    expect(restoreArguments(['put', '\ufffd', ''], raw)).toEqual(['put', '\udcff', '']);
  });
});

describe('a CSV record', () => {
  it.each([
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    ['a,', ['a', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['"say ""hi"""', ['say "hi"']],
    ['a\nb', ['a']],
  ])('reads %j', (text, fields) => {
    expect(parseCsvRecord(text)).toEqual(fields);
  });

  it.each([
    ['a"b', 'parse error on line 1, column 2: bare " in non-quoted field'],
    ['"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'],
    ['\n', 'EOF'],
  ])('refuses %j', (text, message) => {
    expect(() => parseCsvRecord(text)).toThrow(message);
  });
});

describe('a Go string', () => {
  it.each([
    ['plain', 'plain'],
    ['\\n\\t\\\\\\"', '\n\t\\"'],
    ['\\x23\\043\\u00e9\\U0001F600', '##é😀'],
    ['\\xff', '\udcff'],
    ['\\xc3\\xa9', 'é'],
  ])('reads %j', (content, text) => {
    expect(unquoteGo(content)).toBe(text);
  });

  it.each(['\\', '\\q', "\\'", '\\x2', '\\777', '\\ud800', '\\U00110000', '\\X41'])(
    'refuses %j',
    (content) => {
      expect(unquoteGo(content)).toBeUndefined();
    },
  );
});

describe('the words of a line', () => {
  it.each([
    ['put k v', ['put', 'k', 'v']],
    ['put "a b" \'c "d\' e', ['put', 'a b', 'c "d', 'e']],
    ['put "\\x41\\n"', ['put', 'A\n']],
    ['put k --lease="5"', ['put', 'k', '--lease="5"']],
    ['a" b', ['a"', 'b']],
    ['" a', ['a']],
    ['', []],
  ])('of %j', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it('end the command for a bad escape', () => {
    expect(() => splitWords('put "\\q"')).toThrow(new CommandFailure(3, 'invalid syntax'));
  });
});

describe('quoted words', () => {
  it('look as Go prints a list', () => {
    expect(quoteWords(['a b', '"'])).toBe('["a b" "\\""]');
    expect(quoteWords(['a b', '`'], '`')).toBe('[`a b` "`"]');
    expect(quoteWords([])).toBe('[]');
  });
});
