import { describe, expect, it } from 'vitest';
import { CommandFailure } from '../../../src/cli/exit.js';
import { parseCompare } from '../../../src/cli/txn/compare.js';

describe('a condition of a txn', () => {
  it.each([
    ['ver("k") > "3"', 1, 0, { $case: 'version', value: 3 }],
    ['version("k") = "-1"', 0, 0, { $case: 'version', value: -1 }],
    ['c("k") < "3"', 2, 1, { $case: 'createRevision', value: 3 }],
    ['m("k") != "3"', 3, 2, { $case: 'modRevision', value: 3 }],
    ['mod( "k")   =\t"3" and more', 0, 2, { $case: 'modRevision', value: 3 }],
    ['val(`k`) = "a\\x00\\"b"', 0, 3, { $case: 'value', value: Buffer.from('a\0"b') }],
    ['lease("k") = "255"', 0, 4, { $case: 'lease', value: 255n }],
  ])('reads %s', (line, result, target, targetUnion) => {
    expect(parseCompare(line)).toEqual({
      result,
      target,
      targetUnion,
      key: Buffer.from('k'),
      rangeEnd: Buffer.alloc(0),
    });
  });

  it.each([
    ['nonsense', 'malformed comparison: nonsense'],
    ['val("k")="v"', 'malformed comparison: val("k")="v"; got val("k")  ""'],
    ['val(k) = "v"', 'malformed comparison: val(k) = "v"; got val("")  ""'],
    ['val("k") = v', 'malformed comparison: val("k") = v; got val("k") = ""'],
    ['size("k") = "1"', 'malformed comparison: size("k") = "1" (unknown target size)'],
    ['val("k") >= "1"', 'malformed comparison: val("k") >= "1" (unknown operator >=)'],
    ['ver("k") = "x"', 'invalid txn compare request: ver("k") = "x"'],
    ['toString("k") = "x"', 'malformed comparison: toString("k") = "x" (unknown target toString)'],
  ])('refuses %s', (line, message) => {
    expect(() => parseCompare(line)).toThrow(new CommandFailure(3, message));
  });
});
