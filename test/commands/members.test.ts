import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/loopback.js';
import { type RealCluster, startRealCluster } from '../support/real-cluster.js';
import { hasRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';

/** Members must have been connected for 5 s before one may be added. */
const HEALTHY_WITHIN_MILLIS = 15_000;

describe.skipIf(!hasRealEtcd)('commands against a real cluster of three', () => {
  let cluster: RealCluster;

  beforeAll(async () => {
    cluster = await startRealCluster(3);
  }, 30_000);
  afterAll(() => cluster.stop());

  const run = async (face: 'etcdctl' | 'etcdkit', ...argv: string[]) => {
    const given = argv.some((word) => word.startsWith('--endpoints'));
    const flags = given ? [] : [`--endpoints=${cluster.endpoints}`];
    const { stdout, stderr, exitCode } = await runBinary(face, [...flags, ...argv]);
    const spoken = stderr.split('\n').filter((line) => !line.startsWith('{"level"'));
    return { stdout: stdout.toString(), stderr: spoken.join('\n'), exitCode };
  };
  const ctl = (...argv: string[]) => run('etcdctl', ...argv);
  const whenHealthy = async (...argv: string[]) => {
    const end = performance.now() + HEALTHY_WITHIN_MILLIS;
    for (;;) {
      const result = await ctl(...argv);
      const isOver = performance.now() > end;
      if (isOver || !result.stderr.includes('unhealthy cluster')) return result;
    }
  };
  const members = async (): Promise<string[][]> => {
    const { stdout } = await ctl('member', 'list');
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.split(', '));
  };
  const statuses = async () => {
    const { stdout } = await ctl('endpoint', 'status', '-w', 'json');
    const entries = JSON.parse(stdout.replace(/"(member_id|leader)":(\d+)/g, '"$1":"$2"')) as {
      Endpoint: string;
      Status: { header: { member_id: string }; leader: string };
    }[];
    return entries.map(({ Endpoint, Status }) => ({
      endpoint: Endpoint,
      id: BigInt(Status.header.member_id).toString(16),
      leads: Status.header.member_id === Status.leader,
    }));
  };
  /** What the real etcdctl says, of the same moment. */
  const real = (...argv: string[]) =>
    cluster.members[0]?.ctl([`--endpoints=${cluster.endpoints}`, ...argv]).toString() ?? '';

  it('visit every member with --cluster, given one', async () => {
    const one = `--endpoints=${cluster.members[1]?.endpoint}`;
    const urls = cluster.members.map(({ endpoint }) => `http://${endpoint}`);
    for (const face of ['etcdctl', 'etcdkit'] as const) {
      const health = await run(face, one, 'endpoint', 'health', '--cluster', '-w', 'json');
      const healthy = JSON.parse(health.stdout) as { endpoint: string; health: boolean }[];
      expect(healthy.map(({ endpoint }) => endpoint).sort()).toEqual([...urls].sort());
      expect(healthy.every(({ health: isHealthy }) => isHealthy)).toBe(true);
    }
    const order = (await members()).map(([, , , , url]) => url);
    for (const [command, format] of [
      ['status', 'simple'],
      ['hashkv', 'simple'],
      ['status', 'fields'],
      ['hashkv', 'fields'],
      ['status', 'table'],
      ['hashkv', 'table'],
      ['health', 'fields'],
      ['health', 'table'],
    ] as const) {
      const { stdout, exitCode } = await ctl(one, 'endpoint', command, '--cluster', '-w', format);
      expect(exitCode).toBe(0);
      const found = stdout.match(/http:\/\/[\d.:]+/g);
      if (command === 'health') expect(found?.sort()).toEqual([...urls].sort());
      else expect(found).toEqual(order);
    }
  });

  it('list the members as the real one does', async () => {
    for (const format of ['simple', 'json', 'protobuf']) {
      const ours = await ctl('member', 'list', '-w', format);
      // The header names whichever member answers.
      const tidy = (text: string) => text.replace(/"header":\{[^}]*\}/, '');
      if (format !== 'protobuf') {
        expect(tidy(ours.stdout)).toBe(tidy(real('member', 'list', '-w', format)));
      } else {
        expect(ours.stdout.length).toBeGreaterThan(100);
      }
    }
  });

  it('move the leadership to and fro', async () => {
    for (const format of ['simple', 'json'] as const) {
      const before = await statuses();
      const leader = before.find(({ leads }) => leads)?.id ?? '';
      const target = before.find(({ leads }) => !leads)?.id ?? '';
      const { stdout, exitCode } = await ctl('move-leader', target, '-w', format);
      expect(exitCode).toBe(0);
      if (format === 'simple') {
        expect(stdout).toBe(`Leadership transferred from ${leader} to ${target}\n`);
      } else {
        expect(JSON.parse(stdout)).toEqual({});
      }
      const after = await statuses();
      expect(after.find(({ leads }) => leads)?.id).toBe(target);
    }
  });

  it('need the leader among the endpoints to move it', async () => {
    const followers = (await statuses()).filter(({ leads }) => !leads);
    const list = followers.map(({ endpoint }) => endpoint);
    const { stderr, exitCode } = await ctl(
      `--endpoints=${list.join()}`,
      'move-leader',
      followers[0]?.id ?? '',
    );
    expect(stderr).toBe(`Error: no leader endpoint given at [${list.join(' ')}]\n`);
    expect(exitCode).toBe(128);
  });

  it('add a learner, change its URLs, keep it from voting, and remove it', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const added = await whenHealthy('member', 'add', 'fourth', '--learner', `--peer-urls=${url}`);
    expect(added.exitCode).toBe(0);
    const [, id = ''] =
      /^Member +([0-9a-f]+) added as learner to cluster /.exec(added.stdout) ?? [];
    const initial = /ETCD_INITIAL_CLUSTER="(.*)"\n/.exec(added.stdout)?.[1]?.split(',') ?? [];
    const peers = (await members()).map(([, , name, peer]) => `${name || 'fourth'}=${peer}`);
    expect(initial).toEqual(peers);
    expect(added.stdout).toContain(
      `\n\nETCD_NAME="fourth"\nETCD_INITIAL_CLUSTER="${initial.join()}"\nETCD_INITIAL_ADVERTISE_PEER_URLS="${url}"\nETCD_INITIAL_CLUSTER_STATE="existing"\n`,
    );
    expect((await members()).find(([first]) => first === id)).toEqual([
      id,
      'unstarted',
      '',
      url,
      '',
      'true',
    ]);
    const second = await whenHealthy(
      'member',
      'add',
      'fifth',
      '--learner',
      '--peer-urls=http://127.0.0.1:1',
    );
    expect(second).toMatchObject({
      exitCode: 1,
      stderr: 'Error: etcdserver: too many learner members in cluster\n',
    });
    const promoted = await ctl('member', 'promote', id);
    expect(promoted).toMatchObject({
      exitCode: 1,
      stderr: 'Error: etcdserver: can only promote a learner member which is in sync with leader\n',
    });
    const updated = await ctl('member', 'update', id, `--peer-urls=${url},http://127.0.0.1:1`);
    expect(updated.stdout).toMatch(
      new RegExp(`^Member ${id.padStart(16)} updated in cluster [ 0-9a-f]{16}\\n$`),
    );
    const peerUrls = (await members()).find(([first]) => first === id)?.[3];
    expect(peerUrls).toBe(`${url},http://127.0.0.1:1`);
    const removed = await ctl('member', 'remove', id, '-w', 'json');
    const { members: left } = JSON.parse(removed.stdout) as { members: unknown[] };
    expect(left).toHaveLength(3);
    const again = await ctl('member', 'remove', id);
    expect(again).toMatchObject({
      exitCode: 1,
      stderr: 'Error: etcdserver: member not found\n',
    });
  }, 30_000);

  it('show in other formats what a change left', async () => {
    const words = ['member', 'add', 'x', '--learner', '--peer-urls=http://127.0.0.1:1'];
    const refused = await whenHealthy(...words, '-w', 'table');
    expect(refused).toMatchObject({
      exitCode: 4,
      stderr: 'Error: table not supported as output format\n',
    });
    const id = (await members()).find(([, state]) => state === 'unstarted')?.[0] ?? '';
    // The change was made though it could not be shown.
    expect(id).not.toBe('');
    const removed = await ctl('member', 'remove', id, '-w', 'json', '--hex');
    expect(removed.stdout).toMatch(
      /^\{"header":\{"cluster_id":"[0-9a-f]+","member_id":"[0-9a-f]+","raft_term":\d+\},"members":\[\{"ID":"/,
    );
  }, 30_000);
});
