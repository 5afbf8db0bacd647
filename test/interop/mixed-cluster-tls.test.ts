import { describe, expect, it } from 'vitest';
import { TestAuthority } from '../support/certificates.js';
import type { ClusterProcesses } from '../support/cluster-processes.js';
import { testCluster } from '../support/cluster-test.js';
import { hasRealEtcd } from '../support/real-etcd.js';
import { tempDir } from '../support/temp-dir.js';

const TEST_MILLIS = 60_000;
const PLAN = { flags: ['--unsafe-no-fsync'], peerScheme: 'https' } as const;

const mutual = (authority: TestAuthority): string[] => [
  '--peer-client-cert-auth',
  `--peer-trusted-ca-file=${authority.caFile}`,
];

const pair = (
  authority: TestAuthority,
  name: string,
  options?: Parameters<TestAuthority['issue']>[1],
): string[] => {
  const { certFile, keyFile } = authority.issue(name, options);
  return [`--peer-cert-file=${certFile}`, `--peer-key-file=${keyFile}`];
};

/** Each member leads for a write, and all hold all of them. */
async function requireWorking(cluster: ClusterProcesses): Promise<void> {
  for (const member of cluster.members) {
    await cluster.moveLeader(member);
    for (const { client, name } of cluster.members) {
      await client.kv.put({ key: Buffer.from(`${member.name}/${name}`), value: Buffer.from('x') });
    }
  }
  const { revision } = await cluster.requireEqualHashes();
  expect(revision).toBe(1 + cluster.members.length ** 2);
}

describe.skipIf(!hasRealEtcd)('peers with TLS', () => {
  it.each(['oro', 'rro', 'ooo'])(
    'trust each other by certificates with an allowed name (%s)',
    async (kinds) => {
      const authority = new TestAuthority(await tempDir());
      const cluster = await testCluster({
        ...PLAN,
        kinds,
        flagsOf: (name) => [
          ...mutual(authority),
          ...pair(authority, name, { commonName: 'peer' }),
          '--peer-cert-allowed-cn=peer',
        ],
      });
      await requireWorking(cluster);
    },
    TEST_MILLIS,
  );

  it.each(['oro', 'rro', 'ooo'])(
    'make their certificates themselves (%s)',
    async (kinds) => {
      await requireWorking(
        await testCluster({ ...PLAN, kinds, flagsOf: () => ['--peer-auto-tls'] }),
      );
    },
    TEST_MILLIS,
  );

  /** Certificates that are refused; a member that shows one of them is left alone. */
  const BAD: readonly [string, (authority: TestAuthority, directory: string) => string[]][] = [
    [
      'of another authority',
      (_authority, directory) =>
        pair(new TestAuthority(directory, 'stranger'), 'unknown', { commonName: 'peer' }),
    ],
    [
      'that has expired',
      (authority) => pair(authority, 'expired', { commonName: 'peer', endsInMillis: -60_000 }),
    ],
    [
      'with a name that is not allowed',
      (authority) => pair(authority, 'other', { commonName: 'other' }),
    ],
  ];

  it.each(['oor', 'rro'])(
    'go on without a third one as long as its certificate is bad (%s)',
    async (kinds) => {
      const directory = await tempDir();
      const authority = new TestAuthority(directory);
      const cluster = await testCluster({
        ...PLAN,
        kinds,
        flagsOf: (name) => [
          ...mutual(authority),
          '--peer-cert-allowed-cn=peer',
          ...pair(authority, name, { commonName: 'peer' }),
        ],
      });
      const [first, second, third] = cluster.members;
      if (first === undefined || second === undefined || third === undefined) {
        throw new Error('a member is missing');
      }
      for (const [title, flags] of BAD) {
        await third.end('SIGKILL');
        await cluster.untilLed([first, second], third);
        const before = first.log.length;
        third.start(flags(authority, directory));
        await first.until(`rejects a certificate ${title}`, () =>
          /"rejected connection( on peer endpoint)?"/.test(first.log.slice(before)),
        );
        await first.client.kv.put({ key: Buffer.from(title), value: Buffer.from('written') });
        expect(third.isRunning).toBe(true);
      }
      await third.end('SIGKILL');
      third.start();
      await third.untilServing();
      await cluster.requireEqualHashes();
    },
    TEST_MILLIS,
  );
});
