import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary, startBinary } from '../support/run-binary.js';

describe.skipIf(!hasRealEtcd)('watch against a real server', () => {
  let server: RealEtcd;

  beforeAll(async () => {
    server = await startRealEtcd();
  });

  afterAll(async () => {
    await server.stop();
  });

  const start = (argv: readonly string[], environment: Record<string, string> = {}) =>
    startBinary('etcdctl', [`--endpoints=${server.endpoint}`, 'watch', ...argv], { environment });

  it('prints events as they come until it is interrupted', async () => {
    server.ctl(['put', 'live/0', 'first']);
    const { child, done, until } = start(['live/', '--prefix', '--rev=1', '--prev-kv']);
    await until('first\n');
    server.ctl(['put', 'live/0', 'second']);
    await until('second\n');
    server.ctl(['del', 'live/0']);
    await until('DELETE\n');
    await until('DELETE\nlive/0\nsecond\nlive/0\n\n');
    child.kill('SIGINT');
    const { stdout, exitCode } = await done;
    expect(stdout.toString()).toBe(
      'PUT\nlive/0\nfirst\nPUT\nlive/0\nfirst\nlive/0\nsecond\nDELETE\nlive/0\nsecond\nlive/0\n\n',
    );
    expect(exitCode).toBe('SIGINT');
  });

  it('takes key and range end from the environment', async () => {
    server.ctl(['put', 'env1', 'x']);
    const variables = { ETCDCTL_WATCH_KEY: 'env0', ETCDCTL_WATCH_RANGE_END: 'env9' };
    const { child, done, until } = start(['--rev=1'], variables);
    await until('PUT\nenv1\nx\n');
    child.kill('SIGINT');
    expect((await done).stderr).toBe('');
  });

  it('runs a command for each event', async () => {
    server.ctl(['put', 'exec', 'v"1']);
    const script =
      'echo $ETCD_WATCH_REVISION $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY "$ETCD_WATCH_VALUE"; echo done';
    const { child, done, until } = start(['exec', '--rev=1', '--', 'sh', '-c', script]);
    await until('done\n');
    child.kill('SIGINT');
    expect((await done).stdout.toString()).toMatch(
      /^PUT\nexec\nv"1\n\d+ "PUT" "exec" "v\\"1"\ndone\n$/,
    );
  });

  it.each([
    [['sh', '-c', 'exit 3'], 'command ["sh" "-c" "exit 3"] error (exit status 3)\n'],
    [['sh', '-c', 'kill -9 $$'], 'command ["sh" "-c" "kill -9 $$"] error (signal: killed)\n'],
    [
      ['no-such-program'],
      'command ["no-such-program"] error (exec: "no-such-program": executable file not found in $PATH)\n',
    ],
  ])('ends when the command fails: %j', async (command, message) => {
    server.ctl(['put', 'failing', 'x']);
    const argv = [`--endpoints=${server.endpoint}`, 'watch', 'failing', '--rev=1', '--'];
    const { stderr, exitCode } = await runBinary('etcdctl', [...argv, ...command]);
    expect(stderr).toBe(message);
    expect(exitCode).toBe(1);
  });

  it('watches several keys and reports progress interactively', async () => {
    server.ctl(['put', 'i1', 'x']);
    server.ctl(['put', 'i2', 'y']);
    const { child, done, until } = start(['-i']);
    child.stdin.write('watch i1 --rev 1\n');
    await until('PUT\ni1\nx\n');
    child.stdin.write("watch 'i2' --rev 1 -- echo ran\n");
    await until('ran\n');
    child.stdin.write('bogus\n');
    child.stdin.write('progress\n');
    await until('progress notify: ');
    child.stdin.end();
    const { stderr, exitCode } = await done;
    expect(stderr).toBe(
      'Invalid command bogus (only support watch)\nError: error reading watch request line: EOF\n',
    );
    expect(exitCode).toBe(3);
  });

  it.each([
    ['watch a --bogus', 'Error: unknown flag: --bogus\n'],
    ['watch a --', 'Error: bad number of arguments (found separator --, but no commands)\n'],
  ])('ends interactively for %s', async (line, message) => {
    const argv = [`--endpoints=${server.endpoint}`, 'watch', '-i'];
    const { stderr, exitCode } = await runBinary('etcdctl', argv, { stdin: `${line}\n` });
    expect(stderr).toBe(message);
    expect(exitCode).toBe(128);
  });
});
