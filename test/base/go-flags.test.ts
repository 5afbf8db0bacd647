import { describe, expect, it } from 'vitest';
import { GoFlagError, GoHelpRequested, parseGoFlags } from '../../src/base/go-flags.js';

/** What a tool with `-raw` and `-index N` takes from a command line. */
function parse(...argv: string[]) {
  const taken: string[] = [];
  const rest = parseGoFlags((name) => {
    if (name !== 'raw' && name !== 'index') return undefined;
    return {
      takesNoValue: name === 'raw',
      set: (text) => {
        if (text === 'bad') throw new Error('parse error');
        taken.push(`${name} ${text}`);
      },
    };
  }, argv);
  return { taken, rest };
}

describe('a command line for the flag package of Go', () => {
  it('has one dash or two, and values behind = or in the next word', () => {
    expect(parse('-index', '1', '--index=2', '-raw', '--raw=false', 'DIR')).toEqual({
      taken: ['index 1', 'index 2', 'raw true', 'raw false'],
      rest: ['DIR'],
    });
    // A value may look like a flag, and be empty behind =.
    expect(parse('-index', '-raw', '-index=').taken).toEqual(['index -raw', 'index ']);
  });

  it('has no flags behind the first word that is none, or behind --', () => {
    expect(parse('DIR', '-raw')).toEqual({ taken: [], rest: ['DIR', '-raw'] });
    expect(parse('-raw', '--', '-raw')).toEqual({ taken: ['raw true'], rest: ['-raw'] });
    expect(parse('-', '-raw')).toEqual({ taken: [], rest: ['-', '-raw'] });
  });

  it.each([
    [['-other'], 'flag provided but not defined: -other'],
    [['--other=1'], 'flag provided but not defined: -other'],
    [['-index'], 'flag needs an argument: -index'],
    [['-index', 'bad'], 'invalid value "bad" for flag -index: parse error'],
    [['-raw=bad'], 'invalid boolean value "bad" for -raw: parse error'],
    [['---raw'], 'bad flag syntax: ---raw'],
    [['-=1'], 'bad flag syntax: -=1'],
  ])('is refused in its words: %j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(new GoFlagError(message));
  });

  it('asks for help', () => {
    expect(() => parse('-h')).toThrow(GoHelpRequested);
    expect(() => parse('-raw', '--help', '-other')).toThrow(GoHelpRequested);
  });
});
