import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { contentsOf, fillEtcd, withClient } from '../support/etcd-contents.js';
import { startEtcdProcess } from '../support/etcd-process.js';
import { freePort } from '../support/loopback.js';
import { hasRealEtcd, type RealEtcdPorts, startRealEtcd } from '../support/real-etcd.js';
import { runBinary } from '../support/run-binary.js';
import { tempDir } from '../support/temp-dir.js';

/** A member of the cluster, whoever runs it. */
interface MemberSite {
  readonly name: string;
  readonly ports: RealEtcdPorts;
}

interface RunningMember {
  readonly endpoint: string;
  kill(): Promise<unknown>;
  end(): Promise<unknown>;
}

async function makeSites(): Promise<MemberSite[]> {
  const sites: MemberSite[] = [];
  for (const name of ['m1', 'm2', 'm3']) {
    sites.push({ name, ports: { client: await freePort(), peer: await freePort() } });
  }
  return sites;
}

function clusterFlags(sites: readonly MemberSite[], { name }: MemberSite): string[] {
  const cluster = sites.map((site) => `${site.name}=http://127.0.0.1:${site.ports.peer}`);
  return [`--name=${name}`, `--initial-cluster=${cluster.join()}`];
}

async function startReal(
  sites: readonly MemberSite[],
  site: MemberSite,
  dataDir: string,
): Promise<RunningMember> {
  const { ports } = site;
  const etcd = await startRealEtcd({ dataDir, ports, flags: clusterFlags(sites, site) });
  onTestFinished(() => etcd.kill());
  return { endpoint: etcd.endpoint, kill: etcd.kill, end: etcd.terminate };
}

async function startOurs(
  sites: readonly MemberSite[],
  site: MemberSite,
  dataDir: string,
): Promise<RunningMember> {
  const client = `http://127.0.0.1:${site.ports.client}`;
  const peer = `http://127.0.0.1:${site.ports.peer}`;
  const child = await startEtcdProcess(dataDir, [
    ...clusterFlags(sites, site),
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
  ]);
  onTestFinished(async () => void (await child.kill('SIGKILL')));
  return {
    endpoint: child.endpoint,
    kill: () => child.kill('SIGKILL'),
    end: () => child.kill('SIGTERM'),
  };
}

/** Again and again: what goes to a leader that was just killed is lost. */
function put({ endpoint }: RunningMember, key: string): Promise<unknown> {
  return vi.waitFor(
    () => withClient(endpoint, ({ kv }) => kv.put({ key: Buffer.from(key), value: Buffer.of(1) })),
    { timeout: 30_000, interval: 100 },
  );
}

/** All members hold the same, which is also what the first one says. */
async function agreed(members: readonly RunningMember[]) {
  const [first] = members;
  if (first === undefined) throw new Error('no members');
  const contents = await contentsOf(first.endpoint);
  for (const { endpoint } of members) {
    // Those that follow apply a little later.
    await expect
      .poll(() => contentsOf(endpoint), { timeout: 10_000, interval: 100 })
      .toEqual(contents);
  }
  return contents;
}

describe.skipIf(!hasRealEtcd)('a cluster of real etcds', () => {
  it('lends us each of its members, and gets it back by an export', async () => {
    const root = await tempDir();
    const sites = await makeSites();
    const directory = ({ name }: MemberSite, of = 'data') => join(root, `${of}-${name}`);
    const members = await Promise.all(sites.map((site) => startReal(sites, site, directory(site))));
    await fillEtcd(members[0]?.endpoint ?? '', 200);
    let contents = await agreed(members);
    for (const [index, site] of sites.entries()) {
      await members[index]?.kill();
      // What the others write meanwhile is not in its log.
      const other = members[(index + 1) % sites.length];
      if (other !== undefined) await put(other, `without-${index}`);
      members[index] = await startOurs(sites, site, directory(site));
      for (const member of members) await put(member, `with-${index}`);
      contents = await agreed(members);
      await members[index]?.end();
      const exported = directory(site, 'exported');
      const { exitCode } = await runBinary('etcdkit', ['export', directory(site), exported]);
      expect(exitCode).toBe(0);
      members[index] = await startReal(sites, site, exported);
      expect(await agreed(members)).toEqual(contents);
      for (const member of members) await put(member, `after-${index}`);
      contents = await agreed(members);
    }
    expect(contents.members).toHaveLength(3);
  }, 120_000);
});
