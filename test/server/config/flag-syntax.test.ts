import { describe, expect, it } from 'vitest';
import { parseServerConfig } from '../../../src/server/config/parse-server-config.js';
import { config, noFile, parse, verifyError } from './support.js';

describe('flag syntax', () => {
  it.each([
    [['--foo'], 'flag provided but not defined: -foo'],
    [['-foo=1'], 'flag provided but not defined: -foo'],
    [
      ['--experimental-corrupt-check-time=1s'],
      'flag provided but not defined: -experimental-corrupt-check-time',
    ],
    [['--discovery=x'], 'flag provided but not defined: -discovery'],
    [['--name'], 'flag needs an argument: -name'],
    [['---x'], 'bad flag syntax: ---x'],
    [['-=x'], 'bad flag syntax: -=x'],
    [['--pre-vote=x'], 'invalid boolean value "x" for -pre-vote: parse error'],
    [['--version=x'], 'invalid boolean value "x" for -version: parse error'],
    [['--heartbeat-interval=x'], 'invalid value "x" for flag -heartbeat-interval: parse error'],
    [
      ['--heartbeat-interval', '-1'],
      'invalid value "-1" for flag -heartbeat-interval: parse error',
    ],
    [
      ['--heartbeat-interval=99999999999999999999'],
      'invalid value "99999999999999999999" for flag -heartbeat-interval: value out of range',
    ],
    [
      ['--max-concurrent-streams=x'],
      'invalid value "x" for flag -max-concurrent-streams: strconv.ParseUint: parsing "x": invalid syntax',
    ],
    [
      ['--max-concurrent-streams=4294967296'],
      'invalid value "4294967296" for flag -max-concurrent-streams: strconv.ParseUint: parsing "4294967296": value out of range',
    ],
    [
      ['--backend-batch-interval=5'],
      'invalid value "5" for flag -backend-batch-interval: parse error',
    ],
    [
      ['--listen-client-urls=127.0.0.1:2379'],
      'invalid value "127.0.0.1:2379" for flag -listen-client-urls: parse "127.0.0.1:2379": first path segment in URL cannot contain colon',
    ],
    [
      ['--listen-client-urls=localhost:1'],
      'invalid value "localhost:1" for flag -listen-client-urls: URL scheme must be http, https, unix, or unixs: localhost:1',
    ],
    [
      ['--listen-client-urls=http://a:b'],
      'invalid value "http://a:b" for flag -listen-client-urls: parse "http://a:b": invalid port ":b" after host',
    ],
    [
      ['--listen-client-urls=http://a:1/x'],
      'invalid value "http://a:1/x" for flag -listen-client-urls: URL must not contain a path: http://a:1/x',
    ],
    [
      ['--cors=https://example.com'],
      'invalid value "https://example.com" for flag -cors: URL address does not have the form "host:port": https://example.com',
    ],
    [
      ['--initial-cluster-state=foo'],
      'invalid value "foo" for flag -initial-cluster-state: invalid value',
    ],
    [
      ['--v2-deprecation=not-yet'],
      'invalid value "not-yet" for flag -v2-deprecation: invalid value "not-yet"',
    ],
    [
      ['--feature-gates=Foo=true'],
      'invalid value "Foo=true" for flag -feature-gates: unrecognized feature gate: Foo',
    ],
    [
      ['--feature-gates=LeaseCheckpoint'],
      'invalid value "LeaseCheckpoint" for flag -feature-gates: missing bool value for LeaseCheckpoint',
    ],
    [
      ['--feature-gates=LeaseCheckpoint=maybe'],
      'invalid value "LeaseCheckpoint=maybe" for flag -feature-gates: invalid value of LeaseCheckpoint=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])('%j', (argv, text) => {
    const parsed = parse(argv);
    expect(parsed).toMatchObject({ kind: 'exit', code: 2, stdout: '' });
    if (parsed.kind === 'exit') {
      expect(parsed.stderr.split('\n')[0]).toBe(text);
      expect(parsed.stderr).toContain('\nUsage:\n\n  etcd [flags]\n');
    }
  });

  it('takes one dash or two, the value apart or behind =', () => {
    const { name, dataDir, preVote } = config(
      parse(['-name', 'a', '--data-dir=d=e', '-pre-vote=F', '--vv', '--snapshot=x', '--']),
    );
    expect({ name, dataDir, preVote }).toEqual({ name: 'a', dataDir: 'd=e', preVote: false });
  });

  it('takes a boolean only behind =', () => {
    expect(verifyError(parse(['--pre-vote', 'false']))).toBe('"false" is not a valid flag');
    expect(verifyError(parse(['--name=a', '--', '--pre-vote']))).toBe(
      '"--pre-vote" is not a valid flag',
    );
  });

  it('reads integers with the prefixes of Go', () => {
    const parsed = parse([
      '--max-txn-ops=0x10',
      '--max-wals=0b11',
      '--snapshot-count=0o17',
      '--max-learners=010',
      '--quota-backend-bytes=-1_000',
    ]);
    expect(config(parsed)).toMatchObject({
      maxTxnOps: 16,
      maxWalFiles: 3,
      snapshotCount: 15,
      maxLearners: 8,
      quotaBackendBytes: -1000,
    });
  });

  it('prints help and version', () => {
    for (const word of ['-h', '--help']) {
      const help = parse(['--name=x', word]);
      expect(help).toMatchObject({ kind: 'exit', code: 0 });
      if (help.kind === 'exit') {
        expect(help.stderr).toMatch(/^Usage:/);
        expect(help.stdout).toContain("  --election-timeout '1000'\n");
      }
    }
    expect(
      parseServerConfig(['--version'], {}, noFile, {
        gitSha: 'abc',
        runtime: 'node20',
        platform: 'linux/x64',
      }),
    ).toEqual({
      kind: 'exit',
      code: 0,
      stdout: 'etcd Version: 3.7.1\nGit SHA: abc\nGo Version: node20\nGo OS/Arch: linux/x64\n',
      stderr: '',
      logs: [],
    });
  });
});
