import { describe, expect, it } from 'vitest';
import {
  type CommandNode,
  findCommand,
  UnknownCommandError,
} from '../../../src/cli/args/command-tree.js';
import { boolFlag, type Flags, valueFlag } from '../../../src/cli/args/flags.js';

function node(name: string, children: CommandNode[] = [], inheritedFlags: Flags = {}): CommandNode {
  const id = children.length === 0 ? name : undefined;
  return { name, id, inheritedFlags, children: new Map(children.map((c) => [c.name, c])) };
}

const ROOT = node(
  'etcdctl',
  [
    node('compaction'),
    node('del'),
    node('endpoint', [node('hashkv'), node('health'), node('status')], {
      cluster: boolFlag('cluster'),
    }),
    node('get'),
    node('getter'),
    node('put'),
  ],
  {
    'write-out': valueFlag('string', 'simple', 'format', { short: 'w' }),
    hex: boolFlag('hex'),
  },
);

function find(...argv: string[]) {
  const found = findCommand(ROOT, argv);
  return { path: found.path.map(({ name }) => name).join(' '), argv: found.argv };
}

describe('finding the command', () => {
  it.each([
    [['get', 'k'], 'etcdctl get', ['k']],
    [['-w', 'json', 'get', 'k'], 'etcdctl get', ['-w', 'json', 'k']],
    [['-wjson', '--hex', 'get', 'k'], 'etcdctl get', ['-wjson', '--hex', 'k']],
    [['--write-out', 'get', 'put', 'k'], 'etcdctl put', ['--write-out', 'get', 'k']],
    [['compact', '5'], 'etcdctl compaction', ['5']],
    [['ge'], 'unknown', []],
    [['end', 'status'], 'etcdctl endpoint status', []],
    [['endpoint', '--cluster', 'health'], 'etcdctl endpoint health', ['--cluster']],
    [['end', 'h'], 'etcdctl endpoint', ['h']],
    [['endpoint', 'bogus'], 'etcdctl endpoint', ['bogus']],
    [['endpoint'], 'etcdctl endpoint', []],
    [[], 'etcdctl', []],
    [['--', 'get'], 'etcdctl', ['--', 'get']],
    [['--help', 'get'], 'etcdctl', ['--help', 'get']],
    [['put', 'put', 'put'], 'etcdctl put', ['put', 'put']],
  ])('of %j', (argv, path, rest) => {
    if (path === 'unknown') expect(() => find(...argv)).toThrow(UnknownCommandError);
    else expect(find(...argv)).toEqual({ path, argv: rest });
  });

  it('takes the word after an unknown flag for its value', () => {
    expect(() => find('--prefix', 'get', 'k')).toThrow('unknown command "k" for "etcdctl"');
  });

  it('suggests what is close in spelling or begins alike', () => {
    expect(() => find('dell')).toThrow(
      'unknown command "dell" for "etcdctl"\n\nDid you mean this?\n\tdel\n',
    );
    expect(() => find('xyzzy')).toThrow(/^unknown command "xyzzy" for "etcdctl"$/);
  });
});
