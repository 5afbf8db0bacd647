import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEtcd, type TestEtcd } from '../../src/testing.js';
import { RecordingLogger } from '../support/peer-member.js';
import { runBinary } from '../support/run-binary.js';
import { until } from '../support/until.js';

const TEST_MILLIS = 60_000;

describe('downgrade', () => {
  const logger = new RecordingLogger();
  let etcd: TestEtcd;
  beforeAll(async () => {
    etcd = await startEtcd({ logger });
  });
  afterAll(() => etcd.stop());

  async function run(...argv: string[]) {
    const flags = [`--endpoints=${etcd.endpoint}`];
    const { stdout, stderr, exitCode } = await runBinary('etcdctl', [...flags, ...argv]);
    return { stdout: stdout.toString(), stderr, exitCode };
  }

  async function versions(): Promise<unknown> {
    return (await fetch(`${etcd.url}/version`)).json();
  }

  it.each([
    [['validate'], 'Error: TARGET_VERSION not provided\n'],
    [['enable'], 'Error: TARGET_VERSION not provided\n'],
    [['enable', '3.6', '3.5'], 'Error: too many arguments\n'],
    [['validate', ''], 'Error: target version not provided\n'],
  ])('refuses %j', async (argv, stderr) => {
    expect(await run('downgrade', ...argv)).toEqual({ stdout: '', stderr, exitCode: 128 });
  });

  it.each([
    ['3.x', 'wrong downgrade target version format'],
    ['3.5', 'invalid downgrade target version'],
    ['3.7.1', 'invalid downgrade target version'],
  ])(
    'to %s is refused by the server',
    async (version, reason) => {
      for (const action of ['validate', 'enable']) {
        const { stdout, stderr, exitCode } = await run('downgrade', action, version);
        expect(stdout).toBe('');
        expect(stderr).toContain(`etcdserver: ${reason}`);
        expect(exitCode).toBe(1);
      }
    },
    TEST_MILLIS,
  );

  it(
    'takes the cluster down, and back when it is cancelled',
    async () => {
      expect((await run('downgrade', 'validate', '3.6')).stdout).toBe(
        'Downgrade validate success, cluster version 3.7\n',
      );
      const enabled = await run('downgrade', 'enable', '3.6.5', '-w', 'json');
      expect(enabled.stdout).toMatch(/^\{"header":\{.*\},"version":"3\.7"\}\n$/);
      const again = await run('downgrade', 'enable', '3.6');
      expect(again.stderr).toContain('etcdserver: cluster has a downgrade job in progress');
      const status = await run('endpoint', 'status', '-w', 'fields');
      expect(status.stdout).toContain(
        '"DowngradeTargetVersion" : "3.6.0"\n"DowngradeEnabled" : true',
      );
      // The leader looks every four seconds.
      await until('the member is ready', () => logger.has('The server is ready to downgrade'));
      expect(await versions()).toMatchObject({ etcdcluster: '3.6.0', storage: '3.6.0' });
      await until('a snapshot is there', () => logger.has('saved snapshot to disk'));
      expect(logger.lines).toContainEqual({
        message: 'triggering snapshot',
        fields: expect.objectContaining({ 'snapshot-forced': true }),
      });
      expect((await run('downgrade', 'cancel')).stdout).toBe(
        'Downgrade cancel success, cluster version 3.6\n',
      );
      const raised = (): number =>
        logger.lines.filter(({ message }) => message === 'updated cluster version').length;
      await until('the version is back', () => raised() === 2);
      expect(await versions()).toMatchObject({ etcdcluster: '3.7.0', storage: '3.7.0' });
    },
    TEST_MILLIS,
  );

  it('is cancelled without a word if there is none', async () => {
    expect((await run('downgrade', 'cancel', 'whatever')).stdout).toBe(
      'Downgrade cancel success, cluster version 3.7\n',
    );
    expect(logger.lines).toContainEqual({
      message: 'failed to cancel downgrade',
      fields: { error: 'etcdserver: no inflight downgrade job' },
    });
  });

  it.each(['table', 'fields'])('has no form for -w %s', async (format) => {
    const { stderr, exitCode } = await run('downgrade', 'cancel', '-w', format);
    expect(stderr).toContain(`Error: ${format} not supported as output format`);
    expect(exitCode).toBe(4);
  });
});
