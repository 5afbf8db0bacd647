import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatGoDuration,
  formatGoFloat,
  formatGoMillis,
  humanizeBytes,
  parseGoDuration,
  quoteGo,
} from '../../src/base/go-format.js';

describe('formatGoDuration', () => {
  it.each([
    [0, '0s'],
    [1, '1ns'],
    [1_100, '1.1µs'],
    [903_138, '903.138µs'],
    [1_757_291, '1.757291ms'],
    [2_200_000, '2.2ms'],
    [100_000_000, '100ms'],
    [3_300_000_000, '3.3s'],
    [5_004_930_525, '5.004930525s'],
    [60_000_000_000, '1m0s'],
    [245_000_000_000, '4m5s'],
    [245_001_000_000, '4m5.001s'],
    [5 * 3600e9 + 6 * 60e9 + 7_001_000_000, '5h6m7.001s'],
    [480_000_000_001, '8m0.000000001s'],
    [3600e9, '1h0m0s'],
    [-1_500_000_000, '-1.5s'],
  ])('%d ns is %s', (nanoseconds, text) => {
    expect(formatGoDuration(nanoseconds)).toBe(text);
  });

  it('takes the whole range of int64', () => {
    expect(formatGoDuration((1n << 63n) - 1n)).toBe('2562047h47m16.854775807s');
    expect(formatGoDuration(-(1n << 63n))).toBe('-2562047h47m16.854775808s');
  });

  it('takes milliseconds', () => {
    expect(formatGoMillis(0.966557)).toBe('966.557µs');
    expect(formatGoMillis(7000)).toBe('7s');
  });
});

describe('formatGoFloat', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [-1, '-1'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [6.428e-5, '6.428e-05'],
    [-2.5e-9, '-2.5e-09'],
    [123456.789, '123456.789'],
    [999_999, '999999'],
    [1_000_000, '1e+06'],
    [1_234_567.5, '1.2345675e+06'],
    [2_147_483_648, '2.147483648e+09'],
    [1e21, '1e+21'],
    [1.5e300, '1.5e+300'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
    [Number.NaN, 'NaN'],
  ])('%d is %s', (value, text) => {
    expect(formatGoFloat(value)).toBe(text);
  });
});

describe('parseGoDuration', () => {
  it.each([
    ['0', 0],
    ['5s', 5e9],
    ['+5s', 5e9],
    ['-5s', -5e9],
    ['5.0s', 5e9],
    ['5.s', 5e9],
    ['.5s', 5e8],
    ['300ms', 3e8],
    ['1h30m', 5400e9],
    ['3h30m', 12600e9],
    ['39h9m14.425s', 140954425000000],
    ['10.5s4m', 250.5e9],
    ['-2m3.4s', -123.4e9],
    ['12µs', 12000],
    ['12μs', 12000],
    ['0.3333333333333333333h', 20 * 60e9],
  ])('%s', (text, nanoseconds) => {
    // The last case differs by 1 ns for want of digits.
    expect(Math.abs(parseGoDuration(text) - nanoseconds)).toBeLessThanOrEqual(1);
  });

  it.each([
    ['', 'time: invalid duration ""'],
    ['x', 'time: invalid duration "x"'],
    ['5', 'time: missing unit in duration "5"'],
    ['-', 'time: invalid duration "-"'],
    ['.', 'time: invalid duration "."'],
    ['.s', 'time: invalid duration ".s"'],
    ['5x', 'time: unknown unit "x" in duration "5x"'],
    ['1é', 'time: unknown unit "\\xc3\\xa9" in duration "1\\xc3\\xa9"'],
    ['9223372036854775808ns', 'time: invalid duration "9223372036854775808ns"'],
    ['3000000h', 'time: invalid duration "3000000h"'],
  ])('refuses %s', (text, message) => {
    expect(() => parseGoDuration(text)).toThrow(new Error(message));
  });
});

describe('durations', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (nanoseconds) => {
        expect(parseGoDuration(formatGoDuration(nanoseconds))).toBe(nanoseconds);
      }),
    );
  });
});

describe('humanizeBytes', () => {
  it.each([
    [0, '0 B'],
    [9, '9 B'],
    [10, '10 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [20480, '20 kB'],
    [21500, '22 kB'],
    [25_000, '25 kB'],
    [98_304, '98 kB'],
    [2_147_483_648, '2.1 GB'],
    [8_589_934_592, '8.6 GB'],
    [1_572_864, '1.6 MB'],
  ])('%d is %s', (bytes, text) => {
    expect(humanizeBytes(bytes)).toBe(text);
  });
});

describe('quoteGo', () => {
  it.each([
    ['plain', '"plain"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
    ['\x00\x7f', '"\\x00\\x7f"'],
    ['é世界', '"é世界"'],
    ['\u00a0\u200b', '"\\u00a0\\u200b"'],
    ['\u{e0001}', '"\\U000e0001"'],
    ['\u{1f600}', '"\u{1f600}"'],
  ])('%j', (text, quoted) => {
    expect(quoteGo(text)).toBe(quoted);
  });

  it('escapes bytes that are no UTF-8', () => {
    expect(quoteGo(Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80))).toBe(
      '"a\\xff\\xc3(\\xed\\xa0\\x80"',
    );
  });
});
