import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ClusterMember,
  ClusterProcesses,
  initialFlags,
  type MemberKind,
} from '../support/cluster-processes.js';
import { testCluster } from '../support/cluster-test.js';
import { logLines } from '../support/etcd-process.js';
import { hasRealEtcd } from '../support/real-etcd.js';
import { makeTempDir, type TempDir } from '../support/temp-dir.js';

const TEST_MILLIS = 60_000;
const FLAGS = ['--unsafe-no-fsync', '--strict-reconfig-check=false'];
const KINDS: readonly MemberKind[] = ['ours', 'real'];

/** Why a member ended, with nothing in it that differs from one member to the next. */
function causeOf(member: ClusterMember): string {
  const fatal = logLines(member.log).findLast(({ level }) => level === 'fatal');
  return String(fatal?.error)
    .replaceAll(member.peerUrl, 'OWN-URL')
    .replace(/error validating peerURLs \{.*\}: /, 'error validating peerURLs {...}: ');
}

describe.skipIf(!hasRealEtcd)('a running cluster', () => {
  let directory: TempDir;
  let cluster: ClusterProcesses;

  beforeAll(async () => {
    directory = await makeTempDir();
    cluster = await ClusterProcesses.start(directory.path, { kinds: 'ro', flags: FLAGS });
  }, TEST_MILLIS);
  afterAll(async () => {
    await cluster?.stop();
    await directory?.remove();
  });

  /** Lets a new member of each kind try to join; the result is how each ended. */
  async function tryToJoin(
    flagsOf: (member: ClusterMember, named: string) => string[],
  ): Promise<{ readonly exit: number | NodeJS.Signals; readonly cause: string }[]> {
    const named = cluster.initialCluster;
    return Promise.all(
      KINDS.map(async (kind) => {
        const member = await cluster.prepare(kind, 'joiner');
        cluster.members.splice(cluster.members.indexOf(member), 1);
        member.start(flagsOf(member, named));
        const exit = await member.exit;
        return { exit, cause: causeOf(member) };
      }),
    );
  }

  const existing = (initial: string): string[] =>
    initialFlags({ cluster: initial, state: 'existing' });

  it.each<[string, (member: ClusterMember, named: string) => string[], RegExp]>([
    [
      'that was not added',
      ({ name, peerUrl }, named) => existing(`${named},${name}=${peerUrl}`),
      /member count is unequal$/,
    ],
    [
      'that names one of several members',
      ({ name, peerUrl }, named) => existing(`${named.split(',')[0]},${name}=${peerUrl}`),
      /no match found for existing member/,
    ],
    [
      'that is not among those it names',
      (_member, named) => existing(named),
      /couldn't find local name "joiner" in the initial cluster configuration/,
    ],
    [
      'with the name of another one',
      ({ peerUrl }, named) => [...existing(`${named},m0=${peerUrl}`), '--name=m0'],
      /no match found for existing member/,
    ],
    [
      'of a cluster that nobody answers for',
      ({ name, peerUrl }) => existing(`${name}=${peerUrl},m0=http://127.0.0.1:1`),
      /cannot fetch cluster info from peer urls/,
    ],
    [
      'whose name stands for another URL, too',
      ({ name, peerUrl }) =>
        initialFlags({ cluster: `${name}=${peerUrl},${name}=http://127.0.0.1:1`, state: 'new' }),
      /^--initial-cluster has joiner=http:\/\/127.0.0.1:1 but missing from --initial-advertise-peer-urls=OWN-URL/,
    ],
    [
      'whose name stands for another URL',
      ({ name }) => initialFlags({ cluster: `${name}=http://127.0.0.1:1`, state: 'new' }),
      /^--initial-cluster has joiner=http:\/\/127.0.0.1:1 but missing from --initial-advertise-peer-urls=OWN-URL/,
    ],
  ])('does not take a member %s', async (_title, flagsOf, cause) => {
    const [ours, real] = await tryToJoin(flagsOf);
    expect(real?.cause).toMatch(cause);
    expect(ours?.cause).toMatch(cause);
    expect(ours?.exit).toBe(1);
    expect(real?.exit).toBe(1);
    await cluster.requireEqualHashes();
  });

  it('takes a member that failed to join before', async () => {
    const member = await cluster.prepare('ours');
    const initial = existing(cluster.initialCluster);
    member.start(initial);
    expect(await member.exit).toBe(1);
    const bounds = `--peer-urls=${member.peerUrl}`;
    await cluster.ctl('member', 'add', member.name, bounds);
    member.start(initial);
    await member.untilServing();
    await cluster.requireEqualHashes();
  });
});

describe.skipIf(!hasRealEtcd)('two members', () => {
  it.each(['oor', 'rro', 'ooo'])(
    'go on without a third one of another cluster (%s)',
    async (kinds) => {
      const cluster = await testCluster({
        kinds,
        flags: FLAGS,
        flagsOf: (name) => (name === 'm2' ? ['--initial-cluster-token=other'] : []),
        serving: ['m0', 'm1'],
      });
      const [first, , stranger] = cluster.members;
      if (first === undefined || stranger === undefined) throw new Error('a member is missing');
      for (const member of cluster.members) {
        await member.until('tells of it', () => /cluster ID mismatch/.test(member.log));
      }
      await first.client.kv.put({ key: Buffer.from('key'), value: Buffer.from('value') });
      expect(stranger.isRunning).toBe(true);
      await stranger.end('SIGTERM');
      await cluster.requireEqualHashes();
    },
    TEST_MILLIS,
  );

  it.each(['oor', 'rro', 'ooo'])(
    'send a third one away that was removed while it was dead (%s)',
    async (kinds) => {
      const cluster = await testCluster({ kinds, flags: FLAGS });
      const [first, second, removed] = cluster.members;
      if (first === undefined || second === undefined || removed === undefined) {
        throw new Error('a member is missing');
      }
      await removed.end('SIGKILL');
      const others = [first, second];
      await cluster.untilLed(others, removed);
      await cluster.ctl('member', 'remove', removed.id.toString(16));
      removed.start();
      const exit = await removed.exit;
      expect(exit).toBe(0);
      expect(removed.log).toContain('the member has been permanently removed from the cluster');
      await first.client.kv.put({ key: Buffer.from('key'), value: Buffer.from('value') });
      await cluster.requireEqualHashes();
    },
    TEST_MILLIS,
  );
});
