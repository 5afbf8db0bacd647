import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../../src/cli/args/flag-set.js';
import {
  WATCH_FLAGS,
  WatchArgumentError,
  watchArguments,
  watchEnvironment,
  watchOptions,
} from '../../../src/cli/watch/arguments.js';

const NOTHING = { key: '', rangeEnd: '' };

function watch(argv: string[], environment = NOTHING) {
  return watchArguments(parseArguments(WATCH_FLAGS, argv), environment);
}

describe('the arguments of watch', () => {
  it.each([
    [['foo'], NOTHING, ['foo'], []],
    [['foo', 'bar', '--rev', '1'], NOTHING, ['foo', 'bar'], []],
    [['foo', '--', 'echo', 'x'], NOTHING, ['foo'], ['echo', 'x']],
    [['foo', '--', 'echo', 'echo'], NOTHING, ['foo'], ['echo', 'echo']],
    [['--', 'echo'], { key: 'foo', rangeEnd: '' }, ['foo'], ['echo']],
    [[], { key: 'foo', rangeEnd: 'bar' }, ['foo', 'bar'], []],
  ])('are split: %j with %j', (argv, environment, keys, exec) => {
    expect(watch(argv, environment)).toEqual({ keys, exec });
  });

  it.each([
    [['foo', '--'], NOTHING, 'bad number of arguments (found separator --, but no commands)'],
    [[], NOTHING, 'bad number of arguments'],
    [['--rev', '1'], NOTHING, 'bad number of arguments'],
    [['--', 'echo'], NOTHING, 'bad number of arguments'],
    [
      ['foo'],
      { key: 'foo', rangeEnd: '' },
      'bad number of arguments (found conflicting environment key)',
    ],
    [
      ['foo', '--', 'echo'],
      { key: 'foo', rangeEnd: '' },
      'bad number of arguments (found conflicting environment key)',
    ],
  ])('are refused: %j with %j', (argv, environment, message) => {
    expect(() => watch(argv, environment)).toThrow(new WatchArgumentError(message));
  });

  it('may come from the environment', () => {
    expect(watchEnvironment({ ETCDCTL_WATCH_KEY: 'a', ETCDCTL_WATCH_RANGE_END: 'b' })).toEqual({
      key: 'a',
      rangeEnd: 'b',
    });
    expect(() => watchEnvironment({ ETCDCTL_WATCH_RANGE_END: 'b' })).toThrow(
      'ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END="b"',
    );
  });

  it('become one key or a range', () => {
    const { flags } = parseArguments(WATCH_FLAGS, ['--rev=5', '--prev-kv']);
    expect(watchOptions(['a', 'c'], flags)).toEqual({
      key: Buffer.from('a'),
      rangeEnd: Buffer.from('c'),
      startRevision: 5,
      prevKv: true,
      progressNotify: false,
      requireLeader: true,
    });
    expect(watchOptions(['a', 'b', 'c'], flags).rangeEnd).toEqual(Buffer.alloc(0));
    const prefixed = parseArguments(WATCH_FLAGS, ['--prefix']).flags;
    expect(watchOptions(['a'], prefixed).rangeEnd).toEqual(Buffer.from('b'));
    expect(() => watchOptions(['a', 'b'], prefixed)).toThrow(
      '`range_end` and `--prefix` are mutually exclusive',
    );
  });
});
