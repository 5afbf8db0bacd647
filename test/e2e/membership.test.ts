import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { freePort } from '../support/loopback.js';
import { type RealCluster, startRealCluster } from '../support/real-cluster.js';
import { type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';

/** How long what others must do first is tried again, ms. */
const PATIENCE_MILLIS = 20_000;
const TEST_MILLIS = 60_000;

/** One life of a cluster of our own; each test goes on where the one before ended. */
describe('the membership of a cluster', () => {
  let cluster: RealCluster;
  let joiner: RealEtcd | undefined;
  let program: readonly [string, ...string[]];

  beforeAll(async () => {
    program = [process.execPath, binaryPath('etcd')];
    cluster = await startRealCluster(3, { program });
  }, TEST_MILLIS);
  afterAll(async () => {
    await joiner?.stop();
    await cluster?.stop();
  });

  const ctl = async (endpoints: string, ...argv: string[]) => {
    const { stdout, stderr, exitCode } = await runBinary('etcdctl', [
      `--endpoints=${endpoints}`,
      ...argv,
    ]);
    const spoken = stderr.split('\n').filter((line) => !line.startsWith('{"level"'));
    return { stdout: stdout.toString(), stderr: spoken.join('\n'), exitCode };
  };
  const memberRows = async (endpoints: string): Promise<string[][]> => {
    const { stdout } = await ctl(endpoints, 'member', 'list');
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.split(', '));
  };
  const idAt = async (endpoint: string): Promise<string> => {
    const rows = await memberRows(endpoint);
    return rows.find(([, , , , url]) => url === `http://${endpoint}`)?.[0] ?? '';
  };
  /** Whether each endpoint leads. */
  const leads = async (endpoint: string): Promise<boolean> => {
    const { stdout } = await ctl(endpoint, 'endpoint', 'status');
    return stdout.split(', ')[8] === 'true';
  };
  const split = async () => {
    const endpoints = cluster.members.map(({ endpoint }) => endpoint);
    const states = await Promise.all(endpoints.map(leads));
    const leader = endpoints.find((_, at) => states[at]) ?? '';
    return { leader, followers: endpoints.filter((endpoint) => endpoint !== leader) };
  };
  const untilDone = async (attempt: () => ReturnType<typeof ctl>) => {
    const end = performance.now() + PATIENCE_MILLIS;
    for (;;) {
      const result = await attempt();
      if (result.exitCode === 0 || performance.now() > end) return result;
    }
  };

  it(
    'takes in a learner, and makes a voter of it when a follower is asked',
    async () => {
      const [asked = ''] = (await split()).followers;
      const ports = { client: await freePort(), peer: await freePort() };
      const url = `http://127.0.0.1:${ports.peer}`;
      const added = await untilDone(() =>
        ctl(asked, 'member', 'add', 'fourth', '--learner', `--peer-urls=${url}`),
      );
      expect(added).toMatchObject({ exitCode: 0 });
      const id = /^Member +([0-9a-f]+) added as learner/.exec(added.stdout)?.[1] ?? '';
      expect(await ctl(asked, 'member', 'promote', id)).toMatchObject({
        exitCode: 1,
        stderr:
          'Error: etcdserver: can only promote a learner member which is in sync with leader\n',
      });
      const initial = /ETCD_INITIAL_CLUSTER="(.*)"/.exec(added.stdout)?.[1] ?? '';
      // A learner says that it is not healthy: it has started when it is a voter.
      const started = startRealEtcd({
        program,
        ports,
        flags: [
          '--name=fourth',
          `--initial-cluster=${initial}`,
          '--initial-cluster-state=existing',
        ],
      });
      const [promoted, running] = await Promise.all([
        untilDone(() => ctl(asked, 'member', 'promote', id)),
        started,
      ]);
      joiner = running;
      expect(promoted.stdout).toMatch(/^Member +[0-9a-f]+ promoted in cluster +[0-9a-f]+\n$/);
      const own = (await memberRows(running.endpoint)).find(([first]) => first === id);
      expect(own).toEqual([id, 'started', 'fourth', url, `http://${running.endpoint}`, 'false']);
      await ctl(running.endpoint, 'put', 'key', 'from the fourth');
      const read = await ctl(asked, 'get', 'key', '--print-value-only');
      expect(read.stdout).toBe('from the fourth\n');
    },
    TEST_MILLIS,
  );

  it(
    'lets the leader go',
    async () => {
      const { leader, followers } = await split();
      const [next = '', other = ''] = followers;
      const moved = await ctl(`${leader},${next}`, 'move-leader', await idAt(next));
      expect(moved.stdout).toMatch(/^Leadership transferred from [0-9a-f]+ to [0-9a-f]+\n$/);
      expect(await leads(next)).toBe(true);
      const id = await idAt(next);
      const removed = await untilDone(() => ctl(other, 'member', 'remove', id));
      expect(removed.stdout).toMatch(/^Member +[0-9a-f]+ removed from cluster/);
      const gone = await untilDone(async () => {
        const { exitCode, ...rest } = await ctl(next, '--command-timeout=500ms', 'get', 'key');
        return { ...rest, exitCode: exitCode === 0 ? 1 : 0 };
      });
      expect(gone.exitCode).toBe(0);
      const read = await untilDone(() => ctl(other, 'get', 'key', '--print-value-only'));
      expect(read.stdout).toBe('from the fourth\n');
      const rows = await memberRows(other);
      expect(rows).toHaveLength(3);
      expect(rows.map(([first]) => first)).not.toContain(id);
      const again = await ctl(other, 'member', 'remove', id);
      expect(again.stderr).toBe('Error: etcdserver: member not found\n');
    },
    TEST_MILLIS,
  );
});
