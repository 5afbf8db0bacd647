import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../../../src/client/client.js';
import { type LeafFiles, TestAuthority } from '../../support/certificates.js';
import { makeTempDir, type TempDir } from '../../support/temp-dir.js';
import {
  hasCurl,
  hasEtcdctl,
  hasOpenssl,
  pairFlags,
  replacePair,
  startTls,
  type TlsServer,
  type Visit,
  type Visitor,
  visitByCurl,
  visitByEtcdctl,
  visitByOpenssl,
  visitByOurs,
} from './world.js';

if (process.env.CI && !(hasEtcdctl && hasCurl && hasOpenssl)) {
  throw new Error('etcdctl, curl and openssl are required here');
}

/** The clients that are there. A missing one shows as fewer tests. */
const TOOLS: readonly (readonly [
  string,
  (endpoint: string, visitor: Visitor, patient: boolean) => Promise<Visit>,
])[] = [
  ...(hasEtcdctl ? [['etcdctl', visitByEtcdctl] as const] : []),
  ['our etcdctl', visitByOurs],
  ...(hasCurl
    ? [['curl', (endpoint: string, visitor: Visitor) => visitByCurl(endpoint, visitor)] as const]
    : []),
  ...(hasOpenssl
    ? [
        [
          'openssl',
          async (endpoint: string, visitor: Visitor) => {
            const visit = await visitByOpenssl(endpoint, visitor, ['-verify_ip', '127.0.0.1']);
            return { ...visit, ok: visit.stdout.includes('"etcdserver"') };
          },
        ] as const,
      ]
    : []),
];

let directory: TempDir;
let authority: TestAuthority;
let stranger: TestAuthority;
let leaves: Readonly<
  Record<'server' | 'elsewhere' | 'expired' | 'alice' | 'revoked' | 'unknown', LeafFiles>
>;

beforeAll(async () => {
  directory = await makeTempDir();
  authority = new TestAuthority(directory.path);
  stranger = new TestAuthority(directory.path, 'stranger');
  leaves = {
    server: authority.issue('server'),
    elsewhere: authority.issue('elsewhere', { names: ['elsewhere.test'] }),
    expired: authority.issue('expired', { endsInMillis: -60_000 }),
    alice: authority.issue('alice', { commonName: 'alice', names: ['alice.test'] }),
    revoked: authority.issue('revoked', { commonName: 'mallory' }),
    unknown: stranger.issue('unknown', { commonName: 'alice' }),
  };
});
afterAll(() => directory.remove());

interface Case {
  readonly name: string;
  readonly server?: () => LeafFiles;
  readonly flags?: () => string[];
  readonly visitor: () => Visitor;
  /** The server's reason to reject everybody; undefined: it does not. */
  readonly rejected?: string;
  /** The client's reason, in our etcdctl's words; with `rejected` what it makes of the rejection. */
  readonly refused?: string;
}

const mutual = (): string[] => ['--client-cert-auth', `--trusted-ca-file=${authority.caFile}`];
const UNKNOWN = 'tls: failed to verify certificate: x509: certificate signed by unknown authority';

const CASES: readonly Case[] = [
  { name: 'server only', visitor: () => ({ trusts: authority }) },
  {
    name: 'server only, TLS 1.2',
    flags: () => ['--tls-max-version=TLS1.2'],
    visitor: () => ({ trusts: authority }),
  },
  {
    name: 'server only, TLS 1.3',
    flags: () => ['--tls-min-version=TLS1.3'],
    visitor: () => ({ trusts: authority }),
  },
  {
    name: 'wrong CA',
    visitor: () => ({ trusts: stranger }),
    refused:
      "the server's certificate is signed by an unknown authority (give the CA that signed it with --cacert)",
  },
  {
    name: 'expired server',
    server: () => leaves.expired,
    visitor: () => ({ trusts: authority }),
    refused: "the server's certificate has expired",
  },
  {
    name: 'wrong SAN',
    server: () => leaves.elsewhere,
    visitor: () => ({ trusts: authority }),
    refused: "the server's certificate is not valid for 127.0.0.1, only for DNS:elsewhere.test",
  },
  {
    name: 'mutual',
    flags: mutual,
    visitor: () => ({ trusts: authority, shows: leaves.alice }),
  },
  {
    name: 'mutual, no certificate',
    flags: mutual,
    visitor: () => ({ trusts: authority }),
    rejected: "tls: client didn't provide a certificate",
    refused: 'the server requires a client certificate (give --cert and --key)',
  },
  {
    name: 'a CA without --client-cert-auth, no certificate',
    flags: () => [`--trusted-ca-file=${authority.caFile}`],
    visitor: () => ({ trusts: authority }),
    rejected: "tls: client didn't provide a certificate",
    refused: 'the server requires a client certificate (give --cert and --key)',
  },
  {
    name: 'mutual, certificate of another CA',
    flags: mutual,
    visitor: () => ({ trusts: authority, shows: leaves.unknown }),
    rejected: UNKNOWN,
    refused: 'it may not accept our client certificate: see --cert and --key',
  },
  {
    name: 'mutual, expired certificate',
    flags: mutual,
    visitor: () => ({ trusts: authority, shows: leaves.expired }),
    rejected:
      'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
    refused: 'it may not accept our client certificate: see --cert and --key',
  },
  {
    name: 'mutual, expired certificate, TLS 1.2',
    flags: () => [...mutual(), '--tls-max-version=TLS1.2'],
    visitor: () => ({ trusts: authority, shows: leaves.expired }),
    rejected:
      'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
    refused: 'it may not accept our client certificate: see --cert and --key',
  },
  {
    name: 'revoked certificate',
    flags: () => [
      ...mutual(),
      `--client-crl-file=${authority.revoke('crl', [leaves.revoked.serial])}`,
    ],
    visitor: () => ({ trusts: authority, shows: leaves.revoked }),
    rejected: 'transport: certificate serial ',
    refused: 'it may not accept our client certificate: see --cert and --key',
  },
  {
    name: 'another certificate is revoked',
    flags: () => [
      ...mutual(),
      `--client-crl-file=${authority.revoke('crl2', [leaves.revoked.serial])}`,
    ],
    visitor: () => ({ trusts: authority, shows: leaves.alice }),
  },
  {
    name: 'allowed host name',
    flags: () => [...mutual(), '--client-cert-allowed-hostname=alice.test'],
    visitor: () => ({ trusts: authority, shows: leaves.alice }),
  },
  {
    name: 'another host name is allowed',
    flags: () => [...mutual(), '--client-cert-allowed-hostname=bob.test'],
    visitor: () => ({ trusts: authority, shows: leaves.alice }),
    rejected: 'client certificate authentication failed',
    refused: 'it may not accept our client certificate: see --cert and --key',
  },
];

/** Lets every tool visit. @throws if it is not for all as expected */
async function visitByAll(
  { endpoint }: TlsServer,
  visitor: Visitor,
  isWelcome: boolean,
): Promise<readonly { readonly tool: string; readonly visit: Visit }[]> {
  const visits = await Promise.all(
    TOOLS.map(async ([tool, visit]) => ({
      tool,
      visit: await visit(endpoint, visitor, isWelcome),
    })),
  );
  const got = visits.map(({ tool, visit }) => [tool, visit.ok]);
  const details = visits.map(({ tool, visit }) => `${tool}: ${visit.stderr}`).join('\n');
  expect(got, details).toEqual(TOOLS.map(([tool]) => [tool, isWelcome]));
  return visits;
}

describe.each(CASES)('$name', ({ server, flags, visitor, rejected, refused }) => {
  it(`is the same for ${TOOLS.map(([tool]) => tool).join(', ')}`, async () => {
    const etcd = await startTls([
      ...pairFlags((server ?? (() => leaves.server))()),
      ...(flags?.() ?? []),
    ]);
    try {
      const isWelcome = refused === undefined;
      const visits = await visitByAll(etcd, visitor(), isWelcome);
      const rejections = etcd.rejections('client');
      if (isWelcome) expect(rejections).toEqual([]);
      if (rejected !== undefined) {
        // Each of the tools was rejected for this reason, at least once.
        expect(rejections.length).toBeGreaterThanOrEqual(TOOLS.length);
        expect(rejections.filter((text) => !text.startsWith(rejected))).toEqual([]);
      }
      const ours = visits.find(({ tool }) => tool === 'our etcdctl');
      if (refused !== undefined) expect(ours?.visit.stderr).toContain(refused);
    } finally {
      await etcd.stop();
    }
  });
});

describe(`for ${TOOLS.map(([tool]) => tool).join(', ')}`, () => {
  it('a certificate that --auto-tls made is as good as any', async () => {
    const storage = await makeTempDir();
    const etcd = await startTls(['--auto-tls'], { directory: storage.path });
    try {
      const trusts = { caFile: `${storage.path}/fixtures/client/cert.pem` };
      await visitByAll(etcd, { trusts }, true);
      await visitByAll(etcd, { trusts: authority }, false);
    } finally {
      await etcd.stop();
      await storage.remove();
    }
  });

  it('a certificate that replaces another counts from the next connection on', async () => {
    const place = authority.issue('renewed', { endsInMillis: -60_000 });
    const etcd = await startTls(pairFlags(place));
    try {
      await visitByAll(etcd, { trusts: authority }, false);
      replacePair(place, authority.issue('renewal'));
      await visitByAll(etcd, { trusts: authority }, true);
    } finally {
      await etcd.stop();
    }
  });

  it('the common name of a certificate is the user of a call', async () => {
    const etcd = await startTls([...pairFlags(leaves.server), ...mutual()]);
    const root = { trusts: authority, shows: authority.issue('root', { commonName: 'root' }) };
    const client = new Client({
      endpoints: [`https://${etcd.endpoint}`],
      tls: {
        ca: await readFile(authority.caFile),
        cert: root.shows.certificate,
        key: root.shows.key,
      },
    });
    try {
      await client.auth.userAdd({ name: 'root', options: { noPassword: true } });
      await client.auth.roleAdd('root');
      await client.auth.userGrantRole('root', 'root');
      await client.auth.enable();
      await visitByAll(etcd, root, true);
      const alice = { trusts: authority, shows: leaves.alice };
      for (const [tool, visit] of TOOLS.filter(([name]) => name.endsWith('etcdctl'))) {
        const { ok, stderr } = await visit(etcd.endpoint, alice, true);
        expect({ ok, stderr }, tool).toMatchObject({
          ok: false,
          stderr: expect.stringContaining('etcdserver: permission denied'),
        });
      }
    } finally {
      client.close();
      await etcd.stop();
    }
  });
});
