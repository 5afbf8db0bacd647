import { describe, expect, it } from 'vitest';
import { runBinary } from '../support/run-binary.js';

async function output(...[program, ...argv]: [Parameters<typeof runBinary>[0], ...string[]]) {
  const { stdout, stderr, exitCode } = await runBinary(program, argv);
  return { stdout: stdout.toString(), stderr, exitCode };
}

describe('the names of the program', () => {
  it('tell their version', async () => {
    expect((await output('etcdctl', 'version')).stdout).toBe(
      'etcdctl version: 3.7.1\nAPI version: 3.7\n',
    );
    expect((await output('etcdutl', 'version')).stdout).toBe(
      'etcdutl version: 3.7.1\nAPI version: 3.7\n',
    );
    expect((await output('etcdkit', 'version')).stdout).toMatch(
      /^etcdkit version: \d+\.\d+\.\d+\netcd version: 3\.7\.1\nAPI version: 3\.7\n$/,
    );
  });

  it('speak of themselves in help pages', async () => {
    const { stdout, exitCode } = await output('etcdkit', 'help', 'version');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Prints the version of etcdkit');
    expect(stdout).toContain('  etcdkit version [flags]');
  });
});

describe('help', () => {
  it.each([[[]], [['--help']], [['-h', 'get']], [['help']]])('of the root: %j', async (argv) => {
    const { stdout, stderr, exitCode } = await output('etcdctl', ...argv);
    expect(stdout).toMatch(
      /^A simple command line client for etcd3\.\n\nUsage:\n {2}etcdctl \[command\]\n\nKey-value commands\n/,
    );
    expect(stdout).toContain(
      '\n  lease       Lease related commands. Use `etcdctl lease --help` to see subcommands\n',
    );
    expect(stdout).toMatch(
      /\n\nUse "etcdctl \[command\] --help" for more information about a command\.\nUse "etcdctl options" for a list of global command-line options \(applies to all commands\)\.\n$/,
    );
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  it.each([[['lease']], [['lease', 'bogus']], [['lease', '--help']]])(
    'of a group, on stdout, is no failure: %j',
    async (argv) => {
      const { stdout, stderr, exitCode } = await output('etcdctl', ...argv);
      expect(stdout).toMatch(/^Lease related commands\n\nUsage:\n {2}etcdctl lease \[command\]\n/);
      expect(stdout).toContain('\nAvailable Commands:\n  grant       Creates leases\n');
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
    },
  );

  it('of a command lists its flags and leaves the globals out', async () => {
    const { stdout } = await output('etcdctl', 'endpoint', 'hashkv', '--help');
    expect(stdout).toBe(`Prints the KV history hash for each endpoint in --endpoints

Usage:
  etcdctl endpoint hashkv [flags]

Flags:
  -h, --help      help for hashkv
      --rev int   maximum revision to hash (default: latest revision)

Global Flags:
      --cluster   use all endpoints from the cluster member list
Use "etcdctl options" for a list of global command-line options (applies to all commands).
`);
  });

  it('of etcdutl is the usage alone, with the global flags', async () => {
    const { stdout } = await output('etcdutl', 'hashkv', '--help');
    expect(stdout).toBe(`Usage:
  etcdutl hashkv <filename> [flags]

Flags:
  -h, --help      help for hashkv
      --rev int   maximum revision to hash (default: latest revision)

Global Flags:
      --timeout duration   time to wait to obtain a file lock on db file, 0 to wait indefinitely (files are read without a lock) (default 10s)
  -w, --write-out string   set the output format (fields, json, protobuf, simple, table) (default "simple")
`);
    expect((await output('etcdutl')).stdout).toMatch(
      /^Usage:\n {2}etcdutl \[command\]\n\nAvailable Commands:\n {2}defrag /,
    );
  });

  it('of an unknown topic is no failure', async () => {
    const { stdout, stderr, exitCode } = await output('etcdctl', 'help', 'bogus');
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^Unknown help topic \[`bogus`\]\nUsage:\n {2}etcdctl \[command\]\n/);
    expect(exitCode).toBe(0);
  });

  it('has the global flags under options', async () => {
    const { stdout } = await output('etcdctl', 'options');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('The following options can be passed to any command:');
    expect(lines).toContain(
      '  -w, --write-out string             set the output format (fields, json, protobuf, simple, table) (default "simple")',
    );
    expect(lines).toContain(
      '      --endpoints strings            gRPC endpoints (default [127.0.0.1:2379])',
    );
  });
});

describe('a command line that does not parse', () => {
  it('gets the error and the usage on stderr', async () => {
    const { stdout, stderr, exitCode } = await output('etcdctl', 'lease', 'list', '--bogus');
    expect(stdout).toBe('');
    expect(stderr).toBe(`Error: unknown flag: --bogus
Usage:
  etcdctl lease list [flags]

Flags:
  -h, --help   help for list

`);
    expect(exitCode).toBe(1);
  });

  it('fails for a bad flag before the help that it asks for', async () => {
    expect((await output('etcdctl', 'get', '--help', '--bogus')).exitCode).toBe(1);
  });

  it('fails for an unknown command', async () => {
    expect(await output('etcdutl', 'verson')).toEqual({
      stdout: '',
      stderr:
        'Error: unknown command "verson" for "etcdutl"\n\nDid you mean this?\n\tversion\n\nRun \'etcdutl --help\' for usage.\n',
      exitCode: 1,
    });
  });
});
