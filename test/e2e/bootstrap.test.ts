import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { binaryPath } from '../support/binary.js';
import { type EtcdProcess, spawnEtcd } from '../support/etcd-process.js';
import { freePort } from '../support/loopback.js';
import { startRealCluster } from '../support/real-cluster.js';
import { hasRealEtcd, type RealEtcd, startRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';
import { tempDir } from '../support/temp-dir.js';

const TEST_MILLIS = 60_000;
const OURS: readonly [string, ...string[]] = [process.execPath, binaryPath('etcd')];

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function spawn(dataDir: string, flags: readonly string[]): EtcdProcess {
  const etcd = spawnEtcd(dataDir, flags);
  cleanUps.push(() => etcd.kill('SIGKILL'));
  return etcd;
}

async function ctl(endpoint: string, ...argv: readonly string[]): Promise<string> {
  const { stdout } = await runBinary('etcdctl', [`--endpoints=${endpoint}`, ...argv]);
  return stdout.toString();
}

const peerFlags = (port: number) => [
  `--listen-peer-urls=http://127.0.0.1:${port}`,
  `--initial-advertise-peer-urls=http://127.0.0.1:${port}`,
];

/** Starts a member anew where one ran before. */
async function restart({ dataDir, ports }: RealEtcd, ...flags: readonly string[]) {
  const etcd = spawn(dataDir, [...peerFlags(ports.peer), ...flags]);
  return { etcd, outcome: await etcd.ready };
}

describe('--force-new-cluster', () => {
  async function forceOneOfThree(options: Parameters<typeof startRealCluster>[1]) {
    const cluster = await startRealCluster(3, options);
    cleanUps.push(() => cluster.stop());
    await ctl(cluster.endpoints, 'put', 'key', 'survives');
    const survivor = cluster.members[1];
    if (survivor === undefined) throw new Error('there are no three members');
    // What is read there is there.
    expect(await ctl(survivor.endpoint, 'get', 'key', '--print-value-only')).toBe('survives\n');
    const identity = /"cluster_id":(\d+),"member_id":(\d+)/;
    const before = identity.exec(await ctl(survivor.endpoint, 'get', 'key', '-w', 'json'));
    for (const member of cluster.members) await member.kill();

    const { etcd, outcome } = await restart(survivor, '--force-new-cluster');
    expect(outcome).toBe('serving');
    const forced = identity.exec(await ctl(etcd.endpoint, 'get', 'key', '-w', 'json'));
    expect(forced?.slice(1)).toEqual(before?.slice(1));
    expect((await ctl(etcd.endpoint, 'member', 'list')).trim().split('\n')).toHaveLength(1);
    await ctl(etcd.endpoint, 'put', 'key', 'goes on');
    await etcd.kill('SIGKILL');

    const again = await restart(survivor);
    expect(again.outcome).toBe('serving');
    expect(await ctl(again.etcd.endpoint, 'get', 'key', '--print-value-only')).toBe('goes on\n');
    expect((await ctl(again.etcd.endpoint, 'member', 'list')).trim().split('\n')).toHaveLength(1);
  }

  it(
    'makes a cluster of one of three members',
    () => forceOneOfThree({ program: OURS }),
    TEST_MILLIS,
  );

  it.skipIf(!hasRealEtcd)(
    'makes a cluster of what one of three real members left',
    () => forceOneOfThree({ flags: [] }),
    TEST_MILLIS,
  );
});

describe('a member that lost its data', () => {
  it(
    'does not begin anew',
    async () => {
      const cluster = await startRealCluster(2, { program: OURS });
      cleanUps.push(() => cluster.stop());
      const [one, two] = cluster.members;
      if (one === undefined || two === undefined) throw new Error('there are no two members');
      await two.kill();
      rmSync(two.dataDir, { recursive: true });
      const { etcd } = await restart(
        two,
        '--name=m1',
        `--initial-cluster=m0=http://127.0.0.1:${one.ports.peer},m1=http://127.0.0.1:${two.ports.peer}`,
      );
      const { code, stderr } = await etcd.exit;
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /"msg":"discovery failed","error":"member [0-9a-f]+ has already been bootstrapped"/,
      );
    },
    TEST_MILLIS,
  );
});

describe('a discovery service', () => {
  it(
    'brings members together, and turns away those that come too late',
    async () => {
      const service = await startRealEtcd({ program: OURS });
      cleanUps.push(() => service.stop());
      await ctl(service.endpoint, 'put', '/_etcd/registry/token/_config/size', '2');
      const start = async (name: string) =>
        spawn(await tempDir(), [
          `--name=${name}`,
          ...peerFlags(await freePort()),
          '--discovery-token=token',
          `--discovery-endpoints=http://${service.endpoint}`,
        ]);
      const members = [await start('one'), await start('two')];
      expect(await Promise.all(members.map(({ ready }) => ready))).toEqual(['serving', 'serving']);
      const [one, two] = members.map(({ endpoint }) => endpoint);
      await ctl(one ?? '', 'put', 'key', 'value');
      expect(await ctl(two ?? '', 'get', 'key', '--print-value-only')).toBe('value\n');

      const late = await (await start('three')).exit;
      expect(late.code).toBe(1);
      expect(late.stderr).toContain(
        '"msg":"failed to bootstrap; discovery token was already used"',
      );
      expect(late.stderr).toContain(
        'failed to join discovery cluster (discovery: cluster is full)',
      );
      expect(late.stderr).toContain('do not reuse discovery token; generate a new one');
    },
    TEST_MILLIS,
  );
});
