import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Program } from '../support/binary.js';
import { unpackRealEtcd } from '../support/recorded-directory.js';
import { runBinary } from '../support/run-binary.js';
import { sharedPath } from '../support/shared.js';
import { makeTempDir, type TempDir } from '../support/temp-dir.js';

const fixtures = sharedPath('fixtures');

/** The head of a line of Go's log package. */
const TIME = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm;

/** What a program printed, the time at the head of log lines as `TIME `. */
async function run(program: Program, ...argv: string[]) {
  const { stdout, stderr, exitCode } = await runBinary(program, argv);
  return { stdout: stdout.toString(), stderr: stderr.replace(TIME, 'TIME '), exitCode };
}

const fatal = (text: string) => ({ stdout: '', stderr: `TIME ${text}\n`, exitCode: 1 });

describe('etcd-dump-logs', () => {
  it('is the program that the flag package of Go makes of it', async () => {
    const help = await run('etcd-dump-logs', '-h');
    expect(help).toMatchObject({ stdout: '', exitCode: 0 });
    expect(help.stderr).toMatch(/^Usage of etcd-dump-logs:\n {2}-end-index uint\n {4}\t/);
    expect(help.stderr).toContain(
      '\n  -raw\n    \tRead the logs in the low-level form\n  -start-index uint\n',
    );
    expect(help.stderr).toContain(' (default 18446744073709551615)\n');
    for (const [argv, message] of [
      [['-nope', 'DIR'], 'flag provided but not defined: -nope'],
      [['--start-index'], 'flag needs an argument: -start-index'],
      [['-start-index', 'x', 'DIR'], 'invalid value "x" for flag -start-index: parse error'],
      [['-raw=x', 'DIR'], 'invalid boolean value "x" for -raw: parse error'],
    ] as const) {
      const refused = await run('etcd-dump-logs', ...argv);
      expect(refused).toEqual({
        stdout: '',
        stderr: `${message}\n${help.stderr}`,
        exitCode: 2,
      });
    }
  });

  it('ends with lines of Go’s log', async () => {
    expect(await run('etcd-dump-logs')).toEqual(fatal('Must provide data-dir argument (got [])'));
    expect(await run('etcd-dump-logs', 'DIR', '-raw')).toEqual(
      fatal('Must provide data-dir argument (got [DIR -raw])'),
    );
    expect(await run('etcd-dump-logs', '-start-snap=s', '-start-index', '0', 'DIR')).toEqual(
      fatal('start-snap and start-index flags cannot be used together.'),
    );
    expect(await run('etcd-dump-logs', '-raw', '-entry-type=IRRPut', 'DIR')).toEqual(
      fatal('Flags --entry-type, --stream-decoder, --entrytype not supported in the RAW mode.'),
    );
  });
});

describe('etcd-dump-db', () => {
  it('lists its commands', async () => {
    const { stdout, stderr, exitCode } = await run('etcd-dump-db');
    expect(stdout).toMatch(
      /^etcd-dump-db inspects etcd db files\.\n\nUsage:\n {2}etcd-dump-db \[command\]\n\nAvailable Commands:\n/,
    );
    const names = stdout.match(/(?<=^ {2})[a-z-]+(?= .*\.$)/gm);
    expect(names).toEqual(['hash', 'iterate-bucket', 'list-bucket', 'scan-keys']);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    expect((await run('etcd-dump-db', 'help', 'iterate-bucket')).stdout).toContain(
      '  etcd-dump-db iterate-bucket [data dir or db file path] [bucket name] [flags]\n\nFlags:\n      --decode ',
    );
  });

  it('says on stdout too what is wrong with a command line', async () => {
    expect(await run('etcd-dump-db', 'bogus')).toEqual({
      stdout: 'unknown command "bogus" for "etcd-dump-db"\n',
      stderr:
        'Error: unknown command "bogus" for "etcd-dump-db"\nRun \'etcd-dump-db --help\' for usage.\n',
      exitCode: 1,
    });
    const flag = await run('etcd-dump-db', 'hash', '--bogus', 'DIR');
    expect(flag).toMatchObject({ stdout: 'unknown flag: --bogus\n', exitCode: 1 });
    expect(flag.stderr).toMatch(/^Error: unknown flag: --bogus\nUsage:\n {2}etcd-dump-db hash /);
  });

  it('ends with lines of Go’s log', async () => {
    expect(await run('etcd-dump-db', 'list-bucket')).toEqual(
      fatal('Must provide at least 1 argument (got [])'),
    );
    expect(await run('etcd-dump-db', 'iterate-bucket', '/nowhere/db')).toEqual(
      fatal('Must provide 2 arguments (got [/nowhere/db])'),
    );
    expect(await run('etcd-dump-db', 'hash', '/nowhere/db')).toEqual(
      fatal('"/nowhere/db" does not exist'),
    );
  });
});

describe.skipIf(fixtures === undefined)('with the directory of a real etcd', () => {
  let directory: TempDir;
  let data = '';

  beforeAll(async () => {
    directory = await makeTempDir();
    data = unpackRealEtcd('3.5.30', directory.path);
  });

  afterAll(() => directory.remove());

  it.each([
    [[]],
    [['-start-index', '350']],
    [['--entry-type=IRRTxn,ConfigChange', '-end-index=300']],
    [['-raw']],
    [['-w', 'json']],
  ])('etcd-dump-logs says what etcdkit dump-logs says: %j', async (flags) => {
    const dumped = await run('etcd-dump-logs', ...flags, data);
    const same = await run('etcdkit', 'dump-logs', ...flags, data);
    expect({ ...dumped, stderr: dumped.stderr.replaceAll('TIME ', '') }).toEqual(same);
    expect(same.exitCode).toBe(0);
    expect(dumped.stdout.length).toBeGreaterThan(200);
  });

  it('notes of etcd-dump-logs have a time', async () => {
    const { stderr, exitCode } = await run('etcd-dump-logs', '-entry-type', 'Other', data);
    expect(stderr).toMatch(/^TIME \[Other\] is not a valid entry-type, ignored\.\nPlease set /);
    expect(exitCode).toBe(0);
  });

  it.each([
    { words: ['list-bucket'], more: [] },
    { words: ['iterate-bucket', '--decode', '--limit=5'], more: ['key'] },
    { words: ['scan-keys'], more: ['300'] },
    { words: ['hash'], more: [] },
  ])('etcd-dump-db says what etcdkit dump-db says: $words', async ({ words, more }) => {
    const dumped = await run('etcd-dump-db', '--timeout=1s', ...words, data, ...more);
    expect(dumped).toEqual(await run('etcdkit', 'dump-db', ...words, data, ...more));
    expect(dumped).toMatchObject({ stderr: '', exitCode: 0 });
    expect(dumped.stdout.length).toBeGreaterThan(20);
  });
});
