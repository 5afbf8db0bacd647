import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';

/** Nothing listens on port 1 of the loopback interface. */
const DEAD = '127.0.0.1:1';
const REFUSED = `${DEAD}: connection refused (is the server running and listening there?)\n`;

function spoken(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !line.startsWith('{"level"'))
    .join('\n');
}

describe.skipIf(!hasRealEtcd)('commands that visit endpoints one by one', () => {
  let server: RealEtcd;

  beforeAll(async () => {
    server = await startRealEtcd();
  });

  afterAll(async () => {
    await server.stop();
  });

  const run = async (...argv: string[]) => {
    const both = `--endpoints=${server.endpoint},${DEAD}`;
    const flags = [both, '--command-timeout=500ms'];
    const { stdout, stderr, exitCode } = await runBinary('etcdctl', [...flags, ...argv]);
    return { stdout: stdout.toString(), stderr: spoken(stderr), exitCode };
  };

  it('tell the health of those that answer and of those that do not', async () => {
    const { stdout, stderr, exitCode } = await run('endpoint', 'health');
    expect(stdout).toMatch(
      /^127\.0\.0\.1:\d+ is healthy: successfully committed proposal: took = [\d.]+m?s\n$/,
    );
    expect(stderr).toBe(
      `${DEAD} is unhealthy: failed to commit proposal: context deadline exceeded\n${REFUSED}Error: unhealthy cluster\n`,
    );
    expect(exitCode).toBe(1);
  });

  it('print the status of those that answer and fail in the end', async () => {
    const { stdout, stderr, exitCode } = await run('endpoint', 'status');
    expect(stdout.split(', ')[0]).toBe(server.endpoint);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe(
      `Failed to get the status of endpoint ${DEAD} (context deadline exceeded)\n${REFUSED}`,
    );
    expect(exitCode).toBe(1);
  });

  it('print null if none answers', async () => {
    const argv = [`--endpoints=${DEAD}`, '--command-timeout=100ms', 'endpoint', 'hashkv', '-wjson'];
    const { stdout, stderr, exitCode } = await runBinary('etcdctl', argv);
    expect(stdout.toString()).toBe('null\n');
    expect(spoken(stderr)).toBe(
      `Failed to get the hash of endpoint ${DEAD} (context deadline exceeded)\nError: context deadline exceeded\n${REFUSED}`,
    );
    expect(exitCode).toBe(1);
  });

  it('defragment one after another', async () => {
    const { stdout, stderr, exitCode } = await run('defrag');
    expect(stdout).toMatch(
      /^Finished defragmenting etcd member\[127\.0\.0\.1:\d+\]\. took [\d.]+m?s\n$/,
    );
    expect(stderr).toMatch(
      /^Failed to defragment etcd member\[127\.0\.0\.1:1\]\. took [\d.]+m?s\. \(context deadline exceeded\)\n/,
    );
    expect(exitCode).toBe(1);
  });

  it('visit all members with --cluster, by flag or variable', async () => {
    const argv = [`--endpoints=${server.endpoint}`, 'endpoint', 'status'];
    const url = `http://${server.endpoint}, `;
    const flagged = await runBinary('etcdctl', [...argv, '--cluster']);
    expect(flagged.stdout.toString().startsWith(url)).toBe(true);
    const environment = { ETCDCTL_CLUSTER: 'true' };
    const variable = await runBinary('etcdctl', argv, { environment });
    expect(variable.stdout.toString().startsWith(url)).toBe(true);
  });

  it('need somebody to tell the members', async () => {
    const argv = [
      `--endpoints=${DEAD}`,
      '--command-timeout=100ms',
      'endpoint',
      '--cluster',
      'health',
    ];
    const { stderr, exitCode } = await runBinary('etcdctl', argv);
    expect(spoken(stderr)).toBe(
      `Error: failed to fetch endpoints from etcd cluster member list: context deadline exceeded\n${REFUSED}`,
    );
    expect(exitCode).toBe(1);
  });

  it('refuse a consistency that members cannot be listed with', async () => {
    const { stderr, exitCode } = await run('member', 'list', '--consistency=x');
    expect(stderr).toBe('Error: unknown consistency flag "l"\n');
    expect(exitCode).toBe(4);
  });
});

describe('variables and flags together', () => {
  it('end the command before it does anything', async () => {
    const environment = { ETCDCTL_ENDPOINTS: DEAD };
    const argv = [`--endpoints=${DEAD}`, 'get', 'k'];
    const { stderr, exitCode } = await runBinary('etcdctl', argv, { environment });
    const lines = stderr.split('\n').filter(Boolean);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'fatal',
      msg: 'conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))',
      'environment-variable': 'ETCDCTL_ENDPOINTS',
    });
    expect(exitCode).toBe(1);
  });
});
