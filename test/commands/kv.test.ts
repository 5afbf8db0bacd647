import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary, startBinary } from '../support/run-binary.js';

describe.skipIf(!hasRealEtcd)('etcdctl against a real server', () => {
  let server: RealEtcd;

  beforeAll(async () => {
    server = await startRealEtcd();
  });

  afterAll(async () => {
    await server.stop();
  });

  const ctl = (argv: readonly string[], options: Parameters<typeof runBinary>[2] = {}) =>
    runBinary('etcdctl', [`--endpoints=${server.endpoint}`, ...argv], options);

  it('keeps every byte of a value from stdin to stdout', async () => {
    const value = Buffer.from(Array.from({ length: 70_000 }, (_, at) => at & 0xff));
    await ctl(['put', 'bytes'], { stdin: value });
    const { stdout } = await ctl(['get', 'bytes', '--print-value-only']);
    expect(stdout).toEqual(Buffer.concat([value, Buffer.from('\n')]));
  });

  it('dies quietly when nobody reads its output', async () => {
    await ctl(['put', 'large'], { stdin: Buffer.alloc(1_000_000, 'x') });
    const { child, done } = startBinary('etcdctl', [
      `--endpoints=${server.endpoint}`,
      'get',
      'large',
    ]);
    child.stdin.end();
    child.stdout.destroy();
    const { stderr, exitCode } = await done;
    expect(stderr).toBe('');
    expect(exitCode).toBe(141);
  });

  it('warns and waits before it deletes what may be meant as two keys', async () => {
    await ctl(['put', 'del1', 'x']);
    const started = performance.now();
    const { stdout, stderr } = await ctl(['del', 'del1', 'del2']);
    expect(performance.now() - started).toBeGreaterThan(2000);
    expect(stderr).toBe(
      'Warning: Keys between "del1" and "del2" will be deleted. Please interrupt the command within next 2 seconds to cancel. You can provide `--range` flag to avoid the delay.\n',
    );
    expect(stdout.toString()).toBe('1\n');
    expect((await ctl(['del', 'del1', 'del2', '--range'])).stderr).toBe('');
  });

  it('compares leases and refuses unknown operators in a txn', async () => {
    const granted = (await ctl(['lease', 'grant', '600'])).stdout.toString();
    const id = /^lease ([0-9a-f]{16})/.exec(granted)?.[1] ?? '';
    await ctl(['put', 'leased', 'x', '--lease', id]);
    const compare = `lease("leased") = "${BigInt(`0x${id}`)}"`;
    const { stdout } = await ctl(['txn'], { stdin: `${compare}\n\n\n\n` });
    expect(stdout.toString()).toBe('SUCCESS\n');
    const refused = await ctl(['txn'], { stdin: 'ver("leased") >= "1"\n\n\n\n' });
    expect(refused).toMatchObject({
      exitCode: 3,
      stderr: 'Error: malformed comparison: ver("leased") >= "1" (unknown operator >=)\n',
    });
    await ctl(['lease', 'revoke', id]);
  });

  it('shows the usage of a request with a bad flag', async () => {
    const { stderr, exitCode } = await ctl(['txn'], { stdin: '\nput k v --bogus\n\n\n' });
    expect(stderr).toMatch(
      /^Usage:\n {3}put \[options\] <key> <value>[\s\S]*Error: invalid txn request: put k v --bogus\n$/,
    );
    expect(exitCode).toBe(3);
  });

  it('sorts, limits and bounds what it gets', async () => {
    for (const key of ['s1', 's2', 's3']) await ctl(['put', key, key]);
    const { stdout } = await ctl(['get', 's', '--prefix', '--order', 'DESCEND', '--limit=2']);
    expect(stdout.toString()).toBe('s3\ns3\ns2\ns2\n');
    const count = await ctl(['get', 's', '--prefix', '--count-only', '-w', 'fields']);
    expect(count.stdout.toString()).toContain('"Count" : 3\n');
    const refused = await ctl(['get', 's', '--count-only']);
    expect(refused).toMatchObject({
      exitCode: 128,
      stderr: 'Error: --count-only is only for `--write-out=fields`\n',
    });
    const bounds = await ctl(['get', 's', '--min-mod-rev=5', '--max-mod-rev=4']);
    expect(bounds).toMatchObject({
      exitCode: 4,
      stderr: 'Error: getMinModRev(=5) > getMaxModRev(=4)\n',
    });
  });

  it('names what keeps it from the server under etcdctl’s own line', async () => {
    const { stderr, exitCode } = await runBinary('etcdctl', [
      '--endpoints=127.0.0.1:1',
      '--command-timeout=300ms',
      'get',
      'k',
    ]);
    const lines = stderr.split('\n').filter((line) => !line.startsWith('{'));
    expect(lines).toEqual([
      'Error: context deadline exceeded',
      '127.0.0.1:1: connection refused (is the server running and listening there?)',
      '',
    ]);
    expect(exitCode).toBe(1);
  });

  it('begins the deadline of get before it reads the environment, of compaction after', async () => {
    const environment = { ETCDCTL_ENDPOINTS: '127.0.0.1:1', ETCDCTL_COMMAND_TIMEOUT: '100ms' };
    const timed = async (argv: readonly string[]) => {
      const started = performance.now();
      await runBinary('etcdctl', argv, { environment });
      return performance.now() - started;
    };
    expect(await timed(['compaction', '5'])).toBeLessThan(2_000);
    expect(await timed(['get', 'k'])).toBeGreaterThan(4_500);
  });

  it('says that it waits where a command has no deadline', async () => {
    const running = startBinary('etcdctl', ['--endpoints=127.0.0.1:1', 'lease', 'list']);
    const said = new Promise<string>((resolve) => {
      running.child.stderr.on('data', (chunk: Buffer) => resolve(chunk.toString()));
    });
    expect(await said).toBe(
      'still waiting for a connection: 127.0.0.1:1: connection refused (is the server running and listening there?)\n',
    );
    running.child.kill('SIGINT');
    expect((await running.done).exitCode).toBe('SIGINT');
  });
});
