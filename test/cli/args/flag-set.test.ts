import { describe, expect, it } from 'vitest';
import { ParseError, parseArguments } from '../../../src/cli/args/flag-set.js';
import { boolFlag, valueFlag } from '../../../src/cli/args/flags.js';

const FLAGS = {
  'write-out': valueFlag('string', 'simple', 'format', { short: 'w' }),
  hex: boolFlag('hex', { short: 'x' }),
  interactive: boolFlag('interactive', { short: 'i' }),
  secure: boolFlag('secure', { defaultOn: true }),
  rev: valueFlag('int', '0', 'revision'),
  bump: valueFlag('uint', '0', 'bump'),
  timeout: valueFlag('duration', '5s', 'timeout'),
  endpoints: valueFlag('strings', '127.0.0.1:2379', 'endpoints'),
};

function parse(...argv: string[]) {
  return parseArguments(FLAGS, argv);
}

function errorOf(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
  return 'parsed';
}

describe('a command line', () => {
  it('has defaults', () => {
    expect(parse().flags).toEqual({
      'write-out': 'simple',
      hex: false,
      interactive: false,
      secure: true,
      rev: 0,
      bump: 0n,
      timeout: 5000,
      endpoints: ['127.0.0.1:2379'],
    });
  });

  it.each([
    [['--write-out=json']],
    [['--write-out', 'json']],
    [['-w', 'json']],
    [['-wjson']],
    [['-w=json']],
    [['-xw', 'json']],
    [['-xiwjson']],
  ])('takes the value of a flag in %j', (argv) => {
    expect(parse(...argv).flags['write-out']).toBe('json');
  });

  it('takes flags between positionals and none after --', () => {
    const { flags, positionals, beforeDash, given } = parse('a', '--hex', 'b', '--', '--rev', '-x');
    expect(positionals).toEqual(['a', 'b', '--rev', '-x']);
    expect(beforeDash).toBe(2);
    expect(flags.hex).toBe(true);
    expect([...given]).toEqual(['hex']);
  });

  it('leaves a bool on whose value stands apart', () => {
    const { flags, positionals } = parse('--hex', 'false');
    expect(flags.hex).toBe(true);
    expect(positionals).toEqual(['false']);
    expect(parse('--hex=false').flags.hex).toBe(false);
    expect(parse('--secure=F').flags.secure).toBe(false);
  });

  it('takes a lone dash and an empty word as positionals', () => {
    expect(parse('-', '').positionals).toEqual(['-', '']);
  });

  it('lets the last scalar win and adds lists up', () => {
    expect(parse('--rev=1', '--rev=2').flags.rev).toBe(2);
    expect(parse('--endpoints=a,b', '--endpoints', 'c').flags.endpoints).toEqual(['a', 'b', 'c']);
    expect(parse('--endpoints=').flags.endpoints).toEqual([]);
    expect(parse('--endpoints="a,b",c').flags.endpoints).toEqual(['a,b', 'c']);
  });

  it('reads numbers in every base of Go and durations in its units', () => {
    expect(parse('--rev=0x10').flags.rev).toBe(16);
    expect(parse('--rev=010').flags.rev).toBe(8);
    expect(parse('--rev=-1_000').flags.rev).toBe(-1000);
    expect(parse('--rev=9223372036854775807').flags.rev).toBe(Number.MAX_SAFE_INTEGER);
    expect(parse('--bump=18446744073709551615').flags.bump).toBe(2n ** 64n - 1n);
    expect(parse('--timeout=1m30.5s').flags.timeout).toBe(90_500);
    expect(parse('--timeout=0').flags.timeout).toBe(0);
  });

  it.each([
    [['--bogus'], 'unknown flag: --bogus'],
    [['--bogus=1'], 'unknown flag: --bogus'],
    [['--constructor'], 'unknown flag: --constructor'],
    [['-q'], "unknown shorthand flag: 'q' in -q"],
    [['-xq'], "unknown shorthand flag: 'q' in -q"],
    [['--rev'], 'flag needs an argument: --rev'],
    [['-w'], "flag needs an argument: 'w' in -w"],
    [['--=x'], 'bad flag syntax: --=x'],
    [['---x'], 'bad flag syntax: ---x'],
    [
      ['--rev=x'],
      'invalid argument "x" for "--rev" flag: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      ['--rev=9223372036854775808'],
      'invalid argument "9223372036854775808" for "--rev" flag: strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    [
      ['--bump=-1'],
      'invalid argument "-1" for "--bump" flag: strconv.ParseUint: parsing "-1": invalid syntax',
    ],
    [
      ['-x=yes'],
      'invalid argument "yes" for "-x, --hex" flag: strconv.ParseBool: parsing "yes": invalid syntax',
    ],
    [
      ['--timeout=5'],
      'invalid argument "5" for "--timeout" flag: time: missing unit in duration "5"',
    ],
    [
      ['--timeout', 'soon'],
      'invalid argument "soon" for "--timeout" flag: time: invalid duration "soon"',
    ],
    [
      ['--endpoints=a"b'],
      'invalid argument "a\\"b" for "--endpoints" flag: parse error on line 1, column 2: bare " in non-quoted field',
    ],
  ])('says what is wrong with %j', (argv, message) => {
    expect(errorOf(...argv)).toBe(message);
  });
});
